"""The variables of the shell: which matter, and which are ignored."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops import child_environment as children
from ops.doctor.finding import Effect, Finding

SHELL = "shell"


@dataclass(frozen=True)
class Rule:
    """What variables with a name do.

    names: regular expression of whole names.
    """

    names: str
    effect: Effect
    reason: str
    advice: str = ""


# The first rule that matches a name counts. A variable without one is not reported.
_OWN = (
    Rule(r"INVOKE_ENV", "matters", "the default environment"),
    Rule(r"INV_WORK", "matters", "the folder of plans, packages and downloads"),
    Rule(r"EMBEDDED_AWS_(HOME|PORT)", "matters", "where the embedded AWS keeps its state, and its port"),
    Rule(r"TF_PLUGIN_DIR", "matters", "where Terraform's provider comes from"),
    Rule(r"PYTHON", "matters", "the interpreter that .venv is built with"),
)
_PASSED = (
    Rule(
        r"(?i:(https?|all)_proxy)",
        "matters",
        "requests to the network use this proxy; those to this machine do not",
    ),
    Rule(
        r"(?i:no_proxy)",
        "matters",
        "these addresses are reached without the proxy; this machine's always are",
    ),
    Rule(children.NETWORK.names, "matters", "the certificates that are trusted"),
    Rule(children.REGISTRY.names, "matters", "credentials and patience for Terraform's registry"),
    Rule(children.INDEX.names, "matters", "where pip and uv find packages"),
    Rule(children.HARDWARE.names, "matters", "what of this machine a training uses"),
    Rule(children.LIBRARIES.names, "matters", "where programs find libraries"),
    Rule(children.GIT.names, "matters", "git's configuration"),
)
_IGNORED = (
    Rule(
        r"TF_(CLI_ARGS\w*|VAR_\w+|WORKSPACE|DATA_DIR|INPUT)",
        "ignored",
        "Terraform gets its options and inputs from commands only",
        "use environments/*.toml",
    ),
    Rule(
        r"TF_CLI_CONFIG_FILE|TF_PLUGIN_CACHE_DIR",
        "ignored",
        "Terraform gets a configuration of this repository",
        "for a provider mirror, set TF_PLUGIN_DIR",
    ),
    Rule(r"TF_\w+", "ignored", "Terraform does not get it"),
    Rule(r"PYTHON\w+", "ignored", "Python runs without it (-E), and child processes do not get it"),
    Rule(r"VIRTUAL_ENV|CONDA_\w+", "ignored", "commands run in .venv"),
    Rule(r"(PIP|UV)_\w+", "ignored", "it says how packages are installed; the lock files do"),
    Rule(
        r"LD_PRELOAD|LD_AUDIT|DYLD_INSERT_LIBRARIES",
        "matters",
        "this process has loaded it; child processes do not",
        "unset it if commands behave strangely",
    ),
    Rule(r"GIT_\w+", "ignored", "git works on this repository"),
    Rule(r"INVOKE_\w+", "ignored", "./inv reads no configuration of invoke"),
    Rule(
        r"MOTO_\w+|BC_\w+|CKV_\w+|CHECKOV_\w+|PRISMA_\w+|MYPY\w+|RUFF_\w+|PYTEST_\w+|JSII_\w+",
        "ignored",
        "tools do not get it",
    ),
    Rule(
        r"SM_\w+|SAGEMAKER_\w+|RANK|LOCAL_RANK|WORLD_SIZE|MASTER_(ADDR|PORT)|TORCHELASTIC_\w+",
        "ignored",
        "a training gets its own",
    ),
    Rule(r"OMP_\w+|MKL_\w+", "ignored", "only the number of threads and OMP_WAIT_POLICY pass"),
    Rule(r"XDG_CONFIG_HOME|BASH_ENV|ENV|PAGER", "ignored", "child processes do not get it"),
)
_AWS = (
    Rule(r"AWS_(REGION|DEFAULT_REGION)", "ignored", "the environment's file sets the region"),
    Rule(r"AWS_(MAX_ATTEMPTS|RETRY_MODE|DEFAULTS_MODE)", "ignored", "commands set their own repetitions"),
    Rule(r"AWS_(DEFAULT_OUTPUT|PAGER|CLI_\w+)", "ignored", "only the AWS CLI uses it"),
    Rule(r"AWS_DATA_PATH", "ignored", "commands use the SDK's own service models"),
    Rule(
        r"AWS_ENDPOINT_URL\w*",
        "matters",
        "requests go to this address instead of AWS",
        "unset it unless you use a private endpoint",
    ),
    Rule(
        r"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "matters", "endpoint URLs of variables and files are not used"
    ),
    Rule(
        r"AWS_USE_(FIPS|DUALSTACK)_ENDPOINT|AWS_STS_REGIONAL_ENDPOINTS",
        "matters",
        "which endpoints of AWS are used",
    ),
    Rule(r"AWS_CA_BUNDLE", "matters", "the certificates that are trusted"),
    Rule(
        r"AWS_(PROFILE|DEFAULT_PROFILE|CONFIG_FILE|SHARED_CREDENTIALS_FILE)",
        "matters",
        "selects credentials and settings",
    ),
    Rule(r"AWS_\w+|BOTO_CONFIG", "matters", "of the credentials, or a setting of the SDK"),
)
_NO_AWS = (Rule(r"AWS_\w+|BOTO_CONFIG", "ignored", "this environment's AWS is set by the command"),)


def examine(variables: Mapping[str, str], *, own_aws: bool) -> list[Finding]:
    """Return the variables that a user could expect to have an effect.

    own_aws: whether the command sets the AWS_* variables itself.
    """
    rules = (*_OWN, *_PASSED, *(_NO_AWS if own_aws else _AWS), *_IGNORED)
    found = []
    for name in sorted(variables):
        rule = next((rule for rule in rules if re.fullmatch(rule.names, name)), None)
        if rule is None:
            continue
        problem = _problem(name, variables) if rule.effect == "matters" else None
        found.append(problem or Finding(name, SHELL, rule.effect, rule.reason, rule.advice))
    return [*found, *_places(variables)]


def _problem(name: str, variables: Mapping[str, str]) -> Finding | None:
    """Return why a variable that matters will stop a command; None if it will not."""
    value = variables[name]
    names_file = re.fullmatch(r"AWS_CA_BUNDLE|(REQUESTS|CURL)_CA_BUNDLE|SSL_CERT_FILE|PIP_CERT", name)
    if names_file and not Path(value).exists():
        return Finding(name, SHELL, "stops", f"{value} does not exist", f"unset {name}, or set it to a file")
    if name == "EMBEDDED_AWS_PORT" and not (value.isdigit() and 1024 <= int(value) <= 65535):
        return Finding(
            name, SHELL, "stops", f"{value!r} is not a port", "set it to a number from 1024 to 65535"
        )
    if name == "AWS_ACCESS_KEY_ID" and "AWS_SECRET_ACCESS_KEY" not in variables:
        return Finding(name, SHELL, "stops", "AWS_SECRET_ACCESS_KEY is not set", "set both, or neither")
    return None


def _places(variables: Mapping[str, str]) -> list[Finding]:
    """Return findings about HOME, TMPDIR and the locale."""
    found = []
    if not variables.get("HOME"):
        found.append(Finding("HOME", "not set", "ok", f"commands use {Path.home()}"))
    temporary = variables.get("TMPDIR", "")
    if temporary and not os.path.isdir(temporary):
        found.append(
            Finding("TMPDIR", SHELL, "ignored", f"{temporary} is not a folder", "create it, or unset TMPDIR")
        )
    elif len(os.fsencode(temporary)) > children.LONGEST_SOCKET_FOLDER:
        found.append(Finding("TMPDIR", SHELL, "matters", "too long for sockets: Terraform uses /tmp"))
    if variables.get("LC_ALL", variables.get("LANG", "")) in ("C", "POSIX"):
        found.append(Finding("LC_ALL", SHELL, "ok", "commands read and write UTF-8 whatever the locale is"))
    return found
