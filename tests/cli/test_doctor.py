"""`./inv doctor`: one table, JSON, and an exit status."""

from __future__ import annotations

import json

import pytest

from cli.program import Inv
from ops import console
from ops.paths import ROOT


@pytest.fixture
def doctor(capsys, monkeypatch, tmp_path):
    """Return a function that runs the command, and returns exit status, findings by name, and standard error."""
    console.console.cache_clear()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EMBEDDED_AWS_HOME", str(tmp_path / "aws"))

    def run(*arguments: str):
        try:
            Inv(name="inv", binary="inv", version="1").run(
                ["inv", "-r", str(ROOT), "doctor", "--json", *arguments]
            )
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        out, error = capsys.readouterr()
        return code, {f["name"]: f for f in json.loads(out)["findings"]}, error

    yield run
    console.console.cache_clear()


def test_it_names_what_is_ignored_and_exits_with_0(doctor, monkeypatch, tmp_path):
    (tmp_path / ".checkov.yaml").write_text("skip-check: [CKV_AWS_1]\n")
    monkeypatch.setenv("TF_CLI_ARGS_plan", "-destroy")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example")
    code, found, error = doctor()
    assert code == 0
    assert found["TF_CLI_ARGS_plan"]["effect"] == found["~/.checkov.yaml"]["effect"] == "ignored"
    assert found["HTTPS_PROXY"]["effect"] == "matters"
    assert found["embedded AWS"]["reason"] == "is not running; the first command starts it"
    assert "secret" not in json.dumps(found) + error
    assert not (tmp_path / "aws").exists()


def test_what_will_stop_a_command_is_one_sentence_and_exit_status_1(doctor, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "missing")
    code, found, error = doctor("--env", "dev")
    assert code == 1
    assert found["profile missing"]["effect"] == found["AWS"]["effect"] == "stops"
    assert "Traceback" not in error
    last = error.strip().splitlines()[-1]
    assert last.startswith("inv: 2 will stop a command: profile missing: it is not in ")


def test_an_unknown_environment_is_reported_with_the_rest(doctor):
    code, found, _ = doctor("--env", "nowhere")
    assert code == 1
    assert "nowhere" in found["environment"]["reason"]
    assert found["Python"]["effect"] == "ok"
