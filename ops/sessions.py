"""AWS sessions: one for each command. Child processes get its credentials and configuration, and read no file of ~/.aws.

So an MFA code is asked for once, and what boto3 understands (SSO, credential_process, chains of roles) works for Terraform
and for trainings on this machine, too.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.credentials import RefreshableCredentials, create_credential_resolver
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader
from botocore.utils import JSONFileCache

from ops.credential_server import CredentialServer
from ops.errors import OperatorError

# Of botocore's configuration -> the variable that sets it for every SDK.
_SETTINGS = {
    "ca_bundle": "AWS_CA_BUNDLE",
    "use_fips_endpoint": "AWS_USE_FIPS_ENDPOINT",
    "use_dualstack_endpoint": "AWS_USE_DUALSTACK_ENDPOINT",
    "sts_regional_endpoints": "AWS_STS_REGIONAL_ENDPOINTS",
}
_SERVER = "credential_server"
_NO_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


class _Cache(JSONFileCache):  # type: ignore[misc]  # botocore has no types
    """The AWS CLI's cache of credentials; without it where the home folder cannot be written."""

    def __setitem__(self, cache_key: str, value: Any) -> None:
        with contextlib.suppress(OSError):
            super().__setitem__(cache_key, value)


def new(region: str | None = None) -> boto3.Session:
    """Return a session with the credentials and configuration of the AWS_* variables and of ~/.aws.

    Like the AWS CLI, it keeps the credentials of assumed roles in ~/.aws/cli/cache, so that the next command asks for no
    MFA code. Unlike it, it uses no service models of ~/.aws/models or AWS_DATA_PATH, which change what requests mean.
    """
    inner = botocore.session.Session()
    inner.register_component("data_loader", service_models())
    cache = _Cache(str(Path.home() / ".aws" / "cli" / "cache"))
    resolver = create_credential_resolver(inner, cache=cache, region_name=region)
    resolver.get_provider("assume-role")._prompter = _ask_for_code  # its constructor has no public way
    inner.register_component("credential_provider", resolver)
    return boto3.Session(botocore_session=inner, region_name=region)


def service_models() -> Loader:
    """Return a loader of the SDK's own service models."""
    return Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)


def sign_in(session: boto3.Session) -> None:
    """Get the session's credentials, which may ask for an MFA code. Raises NoCredentialsError, or an error of the SDK."""
    found = session.get_credentials()
    if found is None:
        raise NoCredentialsError()
    found.get_frozen_credentials()


def child_variables(session: boto3.Session, region: str) -> dict[str, str]:
    """Return the AWS_* variables of a child process: the session's credentials, endpoints and settings.

    Credentials that expire come from a server of this process, so that a long child gets new ones.
    """
    return {
        **_NO_FILES,
        **_settings(session),
        **_endpoints(session),
        **_credentials(session),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _credentials(session: boto3.Session) -> dict[str, str]:
    found = session.get_credentials()
    if found is None:
        return {}
    if isinstance(found, RefreshableCredentials):
        return _server(session, found).variables
    variables = {"AWS_ACCESS_KEY_ID": found.access_key, "AWS_SECRET_ACCESS_KEY": found.secret_key}
    return variables | ({"AWS_SESSION_TOKEN": found.token} if found.token else {})


def _server(session: boto3.Session, credentials: RefreshableCredentials) -> CredentialServer:
    """Return the credential server of a session, started on first use."""

    def current() -> dict[str, str]:
        keys = credentials.get_frozen_credentials()  # renews them
        return {
            "AccessKeyId": keys.access_key,
            "SecretAccessKey": keys.secret_key,
            "Token": keys.token,
            "Expiration": credentials._expiry_time.isoformat(),
        }

    components = session._session
    try:
        server: CredentialServer = components.get_component(_SERVER)
    except ValueError:
        current()  # asks for an MFA code now, and not when a child asks
        server = CredentialServer(current)
        components.register_component(_SERVER, server)
    return server


def _settings(session: boto3.Session) -> dict[str, str]:
    """Return the settings that differ from the SDK's defaults."""
    values = {variable: session._session.get_config_variable(name) for name, variable in _SETTINGS.items()}
    return {
        variable: str(value).lower() if isinstance(value, bool) else str(value)
        for variable, value in values.items()
        if value not in (None, False, "")
    }


def _endpoints(session: boto3.Session) -> dict[str, str]:
    """Return the variables of the endpoint URLs that the variables and the profile configure."""
    inner = session._session
    if inner.get_config_variable("ignore_configured_endpoint_urls"):
        return {}
    profile: Mapping[str, Any] = inner.get_scoped_config()
    services = inner.full_config.get("services", {}).get(profile.get("services", ""), {})
    found = {
        f"AWS_ENDPOINT_URL_{service.upper()}": section["endpoint_url"]
        for service, section in services.items()
        if isinstance(section, dict) and "endpoint_url" in section
    }
    if "endpoint_url" in profile:
        found["AWS_ENDPOINT_URL"] = profile["endpoint_url"]
    named = {n: v for n, v in os.environ.items() if re.fullmatch(r"AWS_ENDPOINT_URL(_\w+)?", n)}
    if "AWS_ENDPOINT_URL" in named:  # takes precedence over what files say of single services
        found = {}
    return {**found, **named}


def _ask_for_code(prompt: str) -> str:
    """Ask for an MFA code. Raises OperatorError without a terminal."""
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise OperatorError(
            f"The AWS profile needs an MFA code ({prompt.strip(' :')}), and there is no terminal to type it: run `aws sts "
            "get-caller-identity` in a terminal first, which keeps the session for an hour, or use credentials that need "
            "no code."
        ) from None
