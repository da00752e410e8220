"""The environment variables of child processes: an allow-list. Everything else of the shell stays out.

Standard library only, as `embedded_aws.client` uses it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

SYSTEM = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|(DYLD_(FALLBACK_)?|LD_)LIBRARY_PATH"
)
HARDWARE = re.compile(r"CUDA_\w+|NVIDIA_\w+")
NETWORK = re.compile(
    r"(?i:(https?|all|no)_proxy)|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE"
    # Where pip and uv find packages, not where and how they install them.
    r"|PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|RETRIES|(DEFAULT_)?TIMEOUT"
    r"|CACHE_DIR|NO_CACHE_DIR|CONFIG_FILE|DISABLE_PIP_VERSION_CHECK)"
    r"|UV_((DEFAULT_|EXTRA_)?INDEX(_URL)?|FIND_LINKS|NATIVE_TLS|HTTP_TIMEOUT|CACHE_DIR|OFFLINE)"
)
LANGUAGE = re.compile(r"LANG|LANGUAGE|LC_\w+|TZ")

NO_AWS_FILES = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
"""Variables of a process that reads no file of ~/.aws."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def of_server() -> dict[str, str]:
    """Return the variables of the server. It passes those for hardware and network on."""
    return {
        **_passed(SYSTEM, HARDWARE, NETWORK),
        **no_proxy(),
        **NO_AWS_FILES,
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONUTF8": "1",
        "MALLOC_ARENA_MAX": "2",  # one heap per thread would double the memory
    }


def of_container() -> dict[str, str]:
    """Return the variables that a container or function gets of the server's."""
    return {**_passed(SYSTEM, HARDWARE, NETWORK), **no_proxy(), **NO_AWS_FILES}


def of_host() -> dict[str, str]:
    """Return the variables that an EC2 instance or notebook gets of the server's."""
    return {**_passed(LANGUAGE, NETWORK), **no_proxy()}


def of_program() -> dict[str, str]:
    """Return the variables of the guardian and of system programs such as ps."""
    return _passed(SYSTEM)


def without_network(variables: Mapping[str, str]) -> dict[str, str]:
    """Return a container's variables without what only a network gives: credentials, endpoint, proxies, package indexes."""
    kept = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", *NO_AWS_FILES}
    return {
        name: value
        for name, value in variables.items()
        if name in kept or not (name.startswith("AWS_") or NETWORK.fullmatch(name))
    }


def no_proxy() -> dict[str, str]:
    """Return NO_PROXY with what the shell has in it and the addresses of this machine."""
    named = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    hosts = [host.strip() for host in named.split(",") if host.strip()]
    value = ",".join(dict.fromkeys([*hosts, *_LOOPBACK]))
    return {"NO_PROXY": value, "no_proxy": value}


def python_path() -> str:
    """Return PATH with the folder of this Python first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _passed(*groups: re.Pattern[str]) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if any(g.fullmatch(name) for g in groups)}
