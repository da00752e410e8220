"""Fixtures for ops/terraform: a repository with one root, and a fake Terraform."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from ops.terraform import providers, stack

PROGRAM = """#!{python} -SE
import json, os, signal, subprocess, sys, time
folder = os.getcwd()
os.chdir({home!r})
def note(number, frame):
    with open("signals", "a") as signals:
        signals.write(str(number) + "\\n")
signal.signal(signal.SIGINT, note)
command = sys.argv[1]
environment = {{k: v for k, v in os.environ.items() if k.startswith(("TF_", "CHECKPOINT"))}}
call = {{"command": command, "arguments": sys.argv[2:], "environment": environment, "process": os.getpid()}}
steps = json.load(open("steps.json")).get(command, [{{}}])
count = sum(json.loads(line)["command"] == command for line in open("calls.jsonl"))
step = steps[min(count, len(steps) - 1)]
if step.get("provider"):
    nothing = subprocess.DEVNULL
    provider = subprocess.Popen(["./terraform-provider-aws", "600"], stdout=nothing, stderr=nothing)
    open("provider", "w").write(str(provider.pid))
for file, text in step.get("writes", {{}}).items():
    open(os.path.join(folder, file), "w").write(text)
with open("calls.jsonl", "a") as calls:
    calls.write(json.dumps(call) + "\\n")
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
    """A fake executable `terraform`, first on PATH. home: folder of its script, its calls and its signal files."""

    def __init__(self, home: Path):
        self.home = home
        self.steps: dict[str, list[dict]] = {}
        (home / "bin").mkdir(parents=True)
        self.program = home / "bin" / "terraform"
        self.program.write_text(PROGRAM.format(python=sys.executable, home=str(home)))
        self.program.chmod(0o755)
        (home / "calls.jsonl").touch()
        shutil.copy(shutil.which("sleep"), home / "terraform-provider-aws")
        self.does("version", {"lines": ['{"terraform_version": "1.11.4"}']})

    def does(self, command: str, *steps: dict) -> None:
        """Set what successive calls of a command do. The last step repeats.

        steps: with a process `provider` to start, whose ID is in home/provider; files that it `writes` to its working
        folder; `lines` to print; a file in home to `wait` for; a `signal` to send itself; an exit code `rc`.
        """
        self.steps[command] = list(steps)
        (self.home / "steps.json").write_text(json.dumps(self.steps))

    def calls(self, command: str | None = None) -> list[dict]:
        """Return the calls so far: command, arguments, environment variables TF_*, process ID."""
        found = [json.loads(line) for line in (self.home / "calls.jsonl").read_text().splitlines()]
        return [
            c for c in found if c["command"] == command or (command is None and c["command"] != "version")
        ]

    @property
    def signals(self) -> list[int]:
        """The interrupts that it got."""
        log = self.home / "signals"
        return [int(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """Make ops.terraform use a folder with terraform/foundation and its own work folder."""
    root = tmp_path / "repository"
    folder = root / "terraform" / "foundation"
    folder.mkdir(parents=True)
    (folder / "main.tf").write_text('module "key" {\n  source = "../modules/key"\n}\n')
    (folder / ".terraform.lock.hcl").write_text(LOCK_FILE)
    for module in (stack, providers):
        monkeypatch.setattr(module, "ROOT", root)
        monkeypatch.setattr(module, "WORK", root / ".work")
    return root


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """Return the home folder of a user without configuration."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("TF_PLUGIN_DIR", "TF_CLI_CONFIG_FILE", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "share"))
    caches = (providers.cli_config, providers.locked_version)
    for cached in caches:
        cached.cache_clear()
    yield home
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def fake_terraform(tmp_path, monkeypatch) -> FakeTerraform:
    """Put a fake Terraform on PATH that succeeds without doing anything."""
    fake = FakeTerraform(tmp_path / "fake")
    monkeypatch.setenv("PATH", f"{fake.program.parent}{os.pathsep}{os.environ['PATH']}")
    return fake
