"""Files of the home folder and of the system: which matter, and which are ignored."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

from ops.doctor.finding import Finding

# By path below the home folder: why nothing reads them.
_IGNORED = {
    ".aws/models": "commands use the SDK's own service models",
    ".terraformrc": "Terraform gets a configuration of this repository; for a mirror, set TF_PLUGIN_DIR",
    ".terraform.d/credentials.tfrc.json": "Terraform gets a configuration of this repository; set TF_TOKEN_* instead",
    ".checkov.yaml": "checks have an empty home folder",
    ".checkov.yml": "checks have an empty home folder",
    ".bridgecrew/credentials": "checks have an empty home folder",
    ".tflint.hcl": "checks have an empty home folder",
    ".config/checkov": "checks have an empty home folder",
    ".config/ruff": "pyproject.toml configures ruff",
    ".config/mypy": "pyproject.toml configures mypy",
    ".mypy.ini": "pyproject.toml configures mypy",
    ".invoke.yaml": "./inv reads no configuration of invoke",
    ".invoke.yml": "./inv reads no configuration of invoke",
    ".invoke.json": "./inv reads no configuration of invoke",
    ".invoke.py": "./inv reads no configuration of invoke",
    ".config/sagemaker/config.yaml": "requests to SageMaker have no defaults of yours",
}
_MATTERS = {
    ".config/pip/pip.conf": "where pip finds packages",
    ".pip/pip.conf": "where pip finds packages",
    ".gitconfig": "git's configuration, such as safe.directory",
}
# Of a profile: what it changes.
_PROFILE = {
    "endpoint_url": "requests go to this address instead of AWS",
    "services": "requests to some services go to other addresses",
    "ignore_configured_endpoint_urls": "endpoint URLs of variables and files are not used",
    "use_fips_endpoint": "FIPS endpoints are used",
    "use_dualstack_endpoint": "dual-stack endpoints are used",
    "ca_bundle": "the certificates that are trusted",
    "mfa_serial": "an MFA code is asked for once an hour",
    "credential_process": "a program supplies the credentials",
    "sso_session": "sign in with `aws sso login`",
    "sso_start_url": "sign in with `aws sso login`",
    "role_arn": "commands act as this role",
}


def examine(home: Path, variables: Mapping[str, str], *, own_aws: bool) -> list[Finding]:
    """Return the files that a user could expect to have an effect.

    home: the home folder. own_aws: whether the command sets the AWS_* variables itself: then it reads no file of ~/.aws.
    """
    found = [
        Finding(f"~/{name}", str(home / name), "ignored", reason)
        for name, reason in _IGNORED.items()
        if (home / name).exists()
    ]
    found += [
        Finding(f"~/{name}", str(home / name), "matters", reason)
        for name, reason in _MATTERS.items()
        if (home / name).exists()
    ]
    return [*found, *_aws(home, variables, own_aws)]


def _aws(home: Path, variables: Mapping[str, str], own_aws: bool) -> list[Finding]:
    config = Path(variables.get("AWS_CONFIG_FILE") or home / ".aws" / "config").expanduser()
    credentials = Path(
        variables.get("AWS_SHARED_CREDENTIALS_FILE") or home / ".aws" / "credentials"
    ).expanduser()
    existing = [path for path in (config, credentials) if path.is_file()]
    if own_aws:
        reason = "this environment's AWS is set by the command"
        return [Finding(path.name, str(path), "ignored", reason) for path in existing]
    profile = variables.get("AWS_PROFILE") or variables.get("AWS_DEFAULT_PROFILE") or "default"
    sections = _sections(existing)
    if isinstance(sections, Finding):
        return [sections]
    chosen = {**sections.get(f"profile {profile}", {}), **sections.get(profile, {})}
    keys = variables.get("AWS_ACCESS_KEY_ID")
    if not chosen and profile != "default" and not keys:
        places = " and ".join(map(str, existing)) or f"{config}, which does not exist"
        remedy = "set AWS_PROFILE to one of them" if sections else "run aws configure sso"
        return [Finding(f"profile {profile}", str(config), "stops", f"it is not in {places}", remedy)]
    found = [
        Finding(f"{name} of profile {profile}", str(config), "matters", reason)
        for name, reason in _PROFILE.items()
        if name in chosen
    ]
    bundle = os.path.expanduser(chosen.get("ca_bundle", ""))
    if bundle and not Path(bundle).exists():
        remedy = "correct ca_bundle of the profile"
        found.append(
            Finding(
                f"ca_bundle of profile {profile}", str(config), "stops", f"{bundle} does not exist", remedy
            )
        )
    return found


def _sections(paths: list[Path]) -> dict[str, dict[str, str]] | Finding:
    """Return the sections of the files of ~/.aws, or why they cannot be read."""
    parser = configparser.RawConfigParser(default_section="", strict=False)
    for path in paths:
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except (configparser.Error, UnicodeDecodeError, OSError) as error:
            reason = f"cannot be read: {' '.join(str(error).split())[:200]}"
            return Finding(path.name, str(path), "stops", reason, "correct the file")
    return {name: dict(parser[name]) for name in parser.sections()}
