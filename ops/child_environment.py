"""The environment variables of child processes: an allow-list for each purpose. Everything else of the shell stays out.

`python -m ops.child_environment` writes the table in docs/operations.md.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ops.paths import ROOT, WORK

Purpose = Literal["terraform", "check", "package", "training", "program", "inv"]

LONGEST_SOCKET_FOLDER = 80
"""Bytes of TMPDIR: Terraform makes sockets there, whose paths have at most 104 bytes."""


@dataclass(frozen=True)
class Group:
    """Variables that pass together.

    names: regular expression of whole names.
    shown: the names as documents print them.
    reason: why they pass.
    """

    names: str
    shown: tuple[str, ...]
    reason: str

    def matches(self, name: str) -> bool:
        """Return whether a variable belongs to the group."""
        return bool(re.fullmatch(self.names, name))


SYSTEM = Group(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR",
    ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR"),
    "the system's",
)
LIBRARIES = Group(
    r"LD_LIBRARY_PATH|DYLD_(FALLBACK_)?LIBRARY_PATH",
    ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    "some installations of Python and CUDA need them",
)
NETWORK = Group(
    r"(?i:(http|https|all|no)_proxy)|SSL_CERT_(FILE|DIR)|(REQUESTS|CURL)_CA_BUNDLE",
    (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ),
    "the way to the network (also in lower case)",
)
REGISTRY = Group(
    r"TF_TOKEN_\w+|TF_REGISTRY_(CLIENT_TIMEOUT|DISCOVERY_RETRY)",
    ("TF_TOKEN_*", "TF_REGISTRY_CLIENT_TIMEOUT", "TF_REGISTRY_DISCOVERY_RETRY"),
    "the download of the provider",
)
GO = Group(
    r"GOGC|GOMEMLIMIT",
    ("GOGC", "GOMEMLIMIT"),
    "how much memory Terraform and its provider may use before they collect garbage",
)
INDEX = Group(
    r"PIP_(INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|RETRIES|(DEFAULT_)?TIMEOUT"
    r"|CACHE_DIR|NO_CACHE_DIR|KEYRING_PROVIDER|CONFIG_FILE|DISABLE_PIP_VERSION_CHECK)"
    r"|UV_((DEFAULT_|EXTRA_)?INDEX(_URL)?|FIND_LINKS|NATIVE_TLS|HTTP_TIMEOUT|CACHE_DIR|OFFLINE)",
    (
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "PIP_CERT",
        "PIP_PROXY",
        "UV_INDEX_URL",
        "UV_FIND_LINKS",
    ),
    "where pip and uv find packages, and the like; not where and how they install them",
)
HARDWARE = Group(
    r"CUDA_\w+|NVIDIA_\w+|(OMP|MKL)_NUM_THREADS|OMP_WAIT_POLICY|PYTORCH_(CUDA_)?ALLOC_CONF",
    ("CUDA_*", "NVIDIA_*", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTORCH_ALLOC_CONF"),
    "what of this machine a training uses",
)
GIT = Group(
    r"GIT_CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)",
    ("GIT_CONFIG_*",),
    "git's own configuration, such as safe.directory",
)
TERMINAL = Group(
    r"TERM|COLORTERM|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|CI",
    ("TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI"),
    "how output looks",
)
OURS = Group(
    r"INV_WORK|TF_PLUGIN_DIR|PYTHON|EMBEDDED_AWS_(HOME|PORT|OWNER)",
    ("INV_WORK", "TF_PLUGIN_DIR", "PYTHON", "EMBEDDED_AWS_HOME", "EMBEDDED_AWS_PORT", "EMBEDDED_AWS_OWNER"),
    "this repository's",
)

GROUPS = (SYSTEM, NETWORK, REGISTRY, GO, INDEX, LIBRARIES, HARDWARE, GIT, TERMINAL, OURS)

PASSED: dict[Purpose, tuple[Group, ...]] = {
    "terraform": (SYSTEM, NETWORK, REGISTRY, GO),
    "check": (SYSTEM, LIBRARIES),
    "package": (SYSTEM, LIBRARIES, NETWORK, INDEX),
    "training": (SYSTEM, LIBRARIES, NETWORK, HARDWARE),
    "program": (SYSTEM, GIT),
    "inv": (SYSTEM, LIBRARIES, NETWORK, REGISTRY, GO, INDEX, HARDWARE, GIT, TERMINAL, OURS),
}
"""What each purpose gets of the shell's variables."""

TITLES: dict[Purpose, str] = {
    "terraform": "Terraform and its provider",
    "check": "checkov, policy linters, ruff, mypy",
    "package": "pip, uv",
    "training": "`./inv train --on here`",
    "program": "git, ps",
    "inv": "`./inv test`, commands of `./inv faults`",
}

FIXED: dict[Purpose, dict[str, str]] = {
    # GOGC: every command of Terraform reads the 100 MB schema of the provider; collecting garbage took a quarter of its time.
    "terraform": {
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "TF_WORKSPACE": "default",
        "GOGC": "400",
    },
    "check": {"PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "CHECKPOINT_DISABLE": "1"},
    "package": {"PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "PIP_USER": "0", "PIP_NO_INPUT": "1"},
    "training": {"PYTHONNOUSERSITE": "1", "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"},
    "program": {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"},
    "inv": {},
}
"""What each purpose gets in addition, unless the shell's variable passes."""

_NEED_HOME = ("package", "program", "inv")  # for the configuration of pip and git


def build(purpose: Purpose, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment variables of a child process. more: variables that are added, or replace others."""
    return {**FIXED[purpose], **passed(purpose, os.environ), **_places(purpose), **(more or {})}


def passed(purpose: Purpose, variables: Mapping[str, str]) -> dict[str, str]:
    """Return those of some variables that a purpose gets."""
    groups = PASSED[purpose]
    return {name: value for name, value in variables.items() if any(g.matches(name) for g in groups)}


def _places(purpose: Purpose) -> dict[str, str]:
    """Return the folders HOME and TMPDIR: existing ones, and where possible a home without anybody's configuration."""
    home = Path.home() if purpose in _NEED_HOME else empty_home()
    temporary = tempfile.gettempdir()
    if purpose == "terraform" and len(os.fsencode(temporary)) > LONGEST_SOCKET_FOLDER:
        temporary = "/tmp"
    return {"HOME": str(home), "TMPDIR": temporary}


def empty_home() -> Path:
    """Return a home folder of child processes that read no configuration of the operator."""
    folder = WORK / "home"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def table() -> str:
    """Return the table of docs/operations.md."""
    rows = ["| your variables | are for | pass to |", "| --- | --- | --- |"]
    for group in GROUPS:
        readers = [TITLES[purpose] for purpose in PASSED if group in PASSED[purpose]]
        names = ", ".join(f"`{name}`" for name in group.shown)
        rows.append(f"| {names} | {group.reason} | {'all' if group is SYSTEM else '; '.join(readers)} |")
    return "\n".join(rows)


def main() -> None:
    """Write the table into docs/operations.md."""
    file = ROOT / "docs" / "operations.md"
    text = file.read_text(encoding="utf-8")
    before, begin, rest = text.partition("<!-- child environment: begin -->\n")
    _, end, after = rest.partition("<!-- child environment: end -->")
    if not end:
        sys.exit(f"{file} has no place for the table: restore its markers.")
    file.write_text(f"{before}{begin}\n{table()}\n\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
