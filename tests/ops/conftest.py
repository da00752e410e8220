"""A repository with one stack and a Terraform that does what a test says, for the tests of ops/terraform.py."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from ops.terraform import providers as terraform_providers
from ops.terraform import stack as terraform

PROGRAM = """#!{python} -SE
import json, os, sys, time
os.chdir({home!r})
command = sys.argv[1]
environment = {{k: v for k, v in os.environ.items() if k.startswith(("TF_", "CHECKPOINT"))}}
with open("calls.jsonl", "a") as calls:
    calls.write(json.dumps({{"command": command, "arguments": sys.argv[2:], "environment": environment}}) + "\\n")
steps = json.load(open("steps.json")).get(command, [{{}}])
count = sum(json.loads(line)["command"] == command for line in open("calls.jsonl"))
step = steps[min(count, len(steps)) - 1]
for line in step.get("lines", []):
    print(line if isinstance(line, str) else json.dumps(line), flush=True)
while step.get("wait") and not os.path.exists(step["wait"]):
    time.sleep(0.01)
open(command + ".ended", "w").close()
if step.get("signal"):
    os.kill(os.getpid(), step["signal"])
os._exit(step.get("rc", 0))
"""
LOCK_FILE = 'provider "registry.terraform.io/hashicorp/aws" {\n  version = "9.9.9"\n}\n'


class FakeTerraform:
    """The executable `terraform` first on PATH. home: where its script, its calls and its signals lie."""

    def __init__(self, home: Path):
        self.home = home
        self.steps: dict[str, list[dict]] = {}
        (home / "bin").mkdir(parents=True)
        self.program = home / "bin" / "terraform"
        self.program.write_text(PROGRAM.format(python=sys.executable, home=str(home)))
        self.program.chmod(0o755)
        self.does("version", {"lines": ['{"terraform_version": "1.11.4"}']})

    def does(self, command: str, *steps: dict) -> None:
        """What the calls of a command do, one after another; the last step is repeated.

        step: lines to print, `wait` for a file in home, then `signal` itself or exit with `rc`.
        """
        self.steps[command] = list(steps)
        (self.home / "steps.json").write_text(json.dumps(self.steps))

    def calls(self, command: str | None = None) -> list[dict]:
        """The calls so far: command, arguments, environment (TF_*)."""
        log = self.home / "calls.jsonl"
        found = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [
            c for c in found if c["command"] == command or (command is None and c["command"] != "version")
        ]


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A folder with terraform/foundation, in which and with whose work folder ops.terraform runs."""
    root = tmp_path / "repository"
    stack = root / "terraform" / "foundation"
    stack.mkdir(parents=True)
    (stack / "main.tf").write_text('module "key" {\n  source = "../modules/key"\n}\n')
    (stack / ".terraform.lock.hcl").write_text(LOCK_FILE)
    for module in (terraform, terraform_providers):
        monkeypatch.setattr(module, "ROOT", root)
        monkeypatch.setattr(module, "WORK", root / ".work")
    return root


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """The home of a user who has set up nothing."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("TF_PLUGIN_DIR", "TF_CLI_CONFIG_FILE", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    caches = (terraform_providers.cli_config, terraform_providers.locked_version)
    for cached in caches:
        cached.cache_clear()
    yield home
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def fake_terraform(tmp_path, monkeypatch) -> FakeTerraform:
    """A Terraform that does nothing, successfully, until it is told otherwise."""
    fake = FakeTerraform(tmp_path / "fake")
    monkeypatch.setenv("PATH", f"{fake.program.parent}{os.pathsep}{os.environ['PATH']}")
    return fake
