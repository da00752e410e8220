"""Local commands ignore what the shell and the home folder say, and reach nothing but loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops.paths import ROOT
from tests.cli.loopback_driver import COMMANDS
from tests.ops.test_child_environment import CHANGE_MEANING

pytestmark = pytest.mark.slow

PROGRAM = "import sys; sys.path[0] = sys.argv[1]; from cli.program import program; program.run(['inv', '-r', *sys.argv[1:]])"
NAMESPACE = ("unshare", "--user", "--map-root-user", "--net", "--kill-child", "--fork")
# TRAP is the URL of a server that records every connection.
AWS_CONFIG = """
[default]
region = eu-west-1
use_fips_endpoint = true
use_dualstack_endpoint = true
ignore_configured_endpoint_urls = true
endpoint_url = TRAP
services = elsewhere
ca_bundle = /nowhere/ca.pem
retry_mode = nonsense
credential_process = touch {marker}
[services elsewhere]
s3 =
  endpoint_url = TRAP
sts =
  endpoint_url = TRAP
"""
FILES = {
    ".aws/config": AWS_CONFIG,
    ".aws/credentials": "[default]\naws_access_key_id = theirs\naws_secret_access_key = theirs\n",
    ".aws/models/endpoints.json": "{",
    ".aws/models/s3/2006-03-01/service-2.json": "{}",
    ".terraformrc": 'provider_installation {{\n  dev_overrides {{\n    "hashicorp/aws" = "/nowhere"\n  }}\n}}\n',
    ".terraform.d/credentials.tfrc.json": "{",
    ".invoke.yaml": "tasks:\n  collection_name: nowhere\n",
    ".config/sagemaker/config.yaml": "not: a configuration\n",
    "python/boto3.py": "raise SystemExit('PYTHONPATH was used')\n",
    "python/sitecustomize.py": "raise SystemExit('PYTHONPATH was used')\n",
}
TRAPS = {
    **dict.fromkeys(CHANGE_MEANING, "/nowhere"),
    **{
        name: "TRAP"
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    },
    "TF_CLI_ARGS_plan": "-destroy",
    "TF_CLI_ARGS_apply": "-destroy",
    "TF_WORKSPACE": "staging",
    "TF_VAR_environment": "prod",
    "TF_LOG": "trace",
    "AWS_PROFILE": "missing",
    "AWS_ENDPOINT_URL": "TRAP",
    "AWS_ENDPOINT_URL_S3": "TRAP",
    "AWS_ENDPOINT_URL_STS": "TRAP",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_ACCESS_KEY_ID": "theirs",
    "AWS_SECRET_ACCESS_KEY": "theirs",
    "AWS_MAX_ATTEMPTS": "1",
    "INVOKE_TASKS_COLLECTION_NAME": "nowhere",
    "LC_ALL": "C",
    "TMPDIR": "/nowhere",
}
NOT_HERE = (
    "LD_PRELOAD",
    "DYLD_INSERT_LIBRARIES",
    "PYTHONHOME",
    "BASH_ENV",
)  # the loader and `inv` are not tested


@pytest.fixture(scope="module")
def outcome(tmp_path_factory) -> dict:
    """What the commands did."""
    folder = tmp_path_factory.mktemp("leaks")
    home = folder / "home"
    ours = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "INV_WORK": str(folder / "work"),
        "EMBEDDED_AWS_HOME": str(folder / "aws"),
        "EMBEDDED_AWS_OWNER": str(os.getpid()),
        **{name: os.environ[name] for name in ("TF_PLUGIN_DIR",) if name in os.environ},
    }
    traps = {name: value for name, value in TRAPS.items() if name not in NOT_HERE}
    paths = {"PYTHONPATH": str(home / "python"), "XDG_CONFIG_HOME": str(home / ".config")}
    isolated = (
        bool(shutil.which("unshare"))
        and not subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode
    )
    marker = folder / "credential_process"
    plan = {
        "namespace": isolated,
        "program": [sys.executable, "-E", "-X", "utf8", "-c", PROGRAM, str(ROOT)],
        "environment": {**traps, **paths, **ours},
        "files": {str(home / name): text.replace("{marker}", str(marker)) for name, text in FILES.items()},
        "folder": str(folder),
    }
    driver = [sys.executable, str(Path(__file__).with_name("loopback_driver.py"))]
    done = subprocess.run(
        [*(NAMESPACE if isolated else ()), *driver], input=json.dumps(plan), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    found["marker"] = marker
    found["by_task"] = {result["words"][0]: result for result in found["results"]}
    return found


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_succeeds(outcome, words):
    result = outcome["by_task"][words[0]]
    assert result["code"] == 0, result["error"][-2000:]


def test_nothing_connected_to_the_proxy_or_to_the_endpoints_of_the_operator(outcome):
    assert outcome["seen"] == []
    assert not outcome["marker"].exists()


def test_a_plan_after_the_apply_changes_nothing(outcome):
    """TF_CLI_ARGS_plan says -destroy, and TF_WORKSPACE names an empty state."""
    assert json.loads(outcome["by_task"]["plan"]["out"])["foundation"] == []


def test_status_sees_what_was_created(outcome):
    found = json.loads(outcome["by_task"]["status"]["out"])
    assert found["foundation"] and found["data"]
