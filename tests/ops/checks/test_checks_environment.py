"""The environment of checkov is built once for a lock file, wholly, and not from the operator's own settings."""

from __future__ import annotations

import re
import sys

import pytest

from ops.checks import environment
from ops.errors import OperatorError
from ops.paths import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Asks for the environment; gives the steps that were taken. fail: a word of the step that fails."""
    lock = tmp_path / "requirements.lock"
    lock.write_text("checkov==1\n")
    steps: list[str] = []

    def run(fail: str = "nothing") -> list[str]:
        def step(folder, *command):
            steps.append(" ".join(command))
            if fail in steps[-1]:
                raise OperatorError(f"{fail} failed")

        monkeypatch.setattr(environment, "_step", step)
        steps.clear()
        environment.python(folder=tmp_path / ".venv-checkov", lock=lock)
        return list(steps)

    run.lock = lock
    return run


def test_it_is_built_once_with_hashes(build):
    made, installed = build()
    assert "-m venv" in made
    assert installed.endswith(f"install --no-deps --require-hashes -r {build.lock}")
    assert build() == []


def test_another_lock_builds_anew(build):
    build()
    build.lock.write_text("checkov==2\n")
    assert len(build()) == 2


def test_an_unfinished_one_is_not_used(build):
    with pytest.raises(OperatorError):
        build(fail="install")
    assert len(build()) == 2


def test_a_failed_step_is_one_sentence_with_what_it_said(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.lock"
    lock.write_text("checkov==1\n")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no space left\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setattr(environment.sys, "executable", str(python))
    with pytest.raises(
        OperatorError, match=r"^\.venv could not be built \(-m venv \S+\): no space left\."
    ) as told:
        environment.python(folder=tmp_path / ".venv", lock=lock)
    assert "run the same command again" in str(told.value)


def test_the_lock_has_the_pinned_tools_and_a_hash_for_everything():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    entries = re.split(r"\n(?=[A-Za-z0-9])", environment.LOCK.read_text().strip())
    locked = {entry.split(" ")[0] for entry in entries}
    assert {r for r in project["dependency-groups"]["checkov"] if "==" in r} <= locked
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_settings_of_the_operator_do_not_reach_the_tools(monkeypatch):
    for name in ("AWS_PROFILE", "TF_DATA_DIR", "CKV_IGNORED_DIRECTORIES", "CHECKOV_OUTPUT", "BC_API_KEY"):
        monkeypatch.setenv(name, "theirs")
    variables = environment.variables(TF_DATA_DIR="ours")
    assert {n for n, value in variables.items() if value == "theirs"} == set()
    assert (variables["TF_DATA_DIR"], variables["CHECKPOINT_DISABLE"]) == ("ours", "1")
    assert "PATH" in variables
