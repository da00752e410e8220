"""The provider process that several runs of Terraform attach to."""

import os
import signal
import subprocess
import sys

import pytest

from ops.errors import OperatorError
from ops.paths import ROOT
from ops.terraform.shared_provider import SharedProvider, installed

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
STARTED = 'echo "TF_REATTACH_PROVIDERS=\'{\\"aws\\": $$}\'"'
PARENT = f"""
import sys, time
from pathlib import Path
from ops.terraform.shared_provider import SharedProvider

provider = SharedProvider(Path(sys.argv[1]), {ENVIRONMENT})
print("started", flush=True)
time.sleep(600)
"""


def executable(path, script: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_variables_attach_to_the_process_until_it_is_stopped(tmp_path):
    script = f"echo 'Provider started.'\n{STARTED}\nexec sleep 60"
    with SharedProvider(executable(tmp_path / "provider", script), ENVIRONMENT) as provider:
        assert provider.variables == {"TF_REATTACH_PROVIDERS": f'{{"aws": {provider._process.pid}}}'}
        assert provider._process.poll() is None
    assert provider._process.poll() is not None


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_the_provider_ends_with_its_parent(tmp_path, until, ending):
    ended = tmp_path / "ended"
    script = f"trap 'echo > {ended}; exit' TERM\n{STARTED}\nwhile :; do sleep 0.1; done"
    provider = executable(tmp_path / "provider", script)
    command = [sys.executable, "-c", PARENT, provider]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "started\n"
        assert not ended.exists()
        os.kill(parent.pid, ending)
    until(ended.exists)


def test_a_provider_that_exits_is_reported(tmp_path):
    with pytest.raises(OperatorError, match=r"provider .* exited with 3 as it started"):
        SharedProvider(executable(tmp_path / "provider", "exit 3"), ENVIRONMENT)


def test_the_installed_provider_is_found_through_links(tmp_path):
    mirror = executable(tmp_path / "mirror" / "terraform-provider-aws_v5.100.0_x5", "")
    folder = tmp_path / "data/providers/registry.terraform.io/hashicorp/aws/5.100.0"
    assert installed(tmp_path / "data") is None
    folder.mkdir(parents=True)
    (folder / "linux_amd64").symlink_to(mirror.parent)
    assert installed(tmp_path / "data") == folder / "linux_amd64" / mirror.name
