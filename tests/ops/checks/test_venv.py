""".venv-checkov is built once per lock file, completely, without the settings of the operator."""

from __future__ import annotations

import re
import sys

import pytest

from ops.checks import venv
from ops.errors import OperatorError
from ops.paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Return a function that requests the environment and returns the executed steps. fail: a word of the failing step."""
    lock = tmp_path / "requirements.lock"
    lock.write_text("checkov==1\n")
    steps: list[str] = []

    def run(fail: str = "nothing") -> list[str]:
        def step(folder, *command):
            steps.append(" ".join(command))
            if fail in steps[-1]:
                raise OperatorError(f"{fail} failed")

        monkeypatch.setattr(venv, "_step", step)
        steps.clear()
        venv.python(folder=tmp_path / ".venv-checkov", lock=lock)
        return list(steps)

    run.lock = lock
    return run


def test_the_environment_is_built_once_with_hashes(build):
    made, installed = build()
    assert "-m venv" in made
    assert installed.endswith(f"install --no-deps --require-hashes -r {build.lock}")
    assert build() == []


def test_a_changed_lock_rebuilds_the_environment(build):
    build()
    build.lock.write_text("checkov==2\n")
    assert len(build()) == 2


def test_an_incomplete_environment_is_rebuilt(build):
    with pytest.raises(OperatorError):
        build(fail="install")
    assert len(build()) == 2


def test_a_failed_step_is_reported_with_its_output(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.lock"
    lock.write_text("checkov==1\n")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no space left\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(venv.sys, "executable", str(python))
    with pytest.raises(
        OperatorError, match=r"^\.venv could not be built \(-m venv \S+\): no space left\."
    ) as refused:
        venv.python(folder=tmp_path / ".venv", lock=lock)
    assert "run the same command again" in str(refused.value)


def test_the_lock_has_the_pinned_tools_with_hashes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    entries = re.split(r"\n(?=[A-Za-z0-9])", venv.LOCK.read_text().strip())
    locked = {entry.split(" ")[0] for entry in entries}
    assert {r for r in project["dependency-groups"]["checkov"] if "==" in r} <= locked
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
