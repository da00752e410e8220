"""What child processes get of the operator's variables: an allow-list for each purpose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops import child_environment
from ops.paths import ROOT

PURPOSES = tuple(child_environment.PASSED)
# Variables that change what a program does, imports or reads, or whom it contacts as whom.
CHANGE_MEANING = (
    *(
        "TF_CLI_ARGS",
        "TF_CLI_ARGS_plan",
        "TF_WORKSPACE",
        "TF_VAR_environment",
        "TF_DATA_DIR",
        "TF_CLI_CONFIG_FILE",
    ),
    *(
        "TF_LOG",
        "TF_LOG_PATH",
        "TF_INPUT",
        "TF_REATTACH_PROVIDERS",
        "TF_PLUGIN_CACHE_DIR",
        "TF_STATE_PERSIST_INTERVAL",
    ),
    *("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_USE_FIPS_ENDPOINT", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_S3"),
    *(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_MAX_ATTEMPTS",
        "AWS_RETRY_MODE",
        "AWS_DEFAULT_OUTPUT",
        "BOTO_CONFIG",
    ),
    *(
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONSTARTUP",
        "PYTHONINSPECT",
        "PYTHONWARNINGS",
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
    ),
    *(
        "LD_PRELOAD",
        "DYLD_INSERT_LIBRARIES",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "GIT_WORK_TREE",
        "PAGER",
        "BASH_ENV",
    ),
    *(
        "PIP_TARGET",
        "PIP_PREFIX",
        "PIP_REQUIRE_VIRTUALENV",
        "MOTO_ACCOUNT_ID",
        "INVOKE_RUN_SHELL",
        "PYTEST_ADDOPTS",
    ),
    *("SM_MODEL_DIR", "SAGEMAKER_PROGRAM", "RANK", "WORLD_SIZE", "MASTER_ADDR", "TORCHELASTIC_RUN_ID"),
    *(
        "CKV_IGNORED_DIRECTORIES",
        "CHECKOV_OUTPUT",
        "BC_API_KEY",
        "MYPYPATH",
        "RUFF_CONFIG",
        "XDG_CONFIG_HOME",
    ),
)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_what_changes_the_meaning_of_a_command_does_not_pass(purpose, monkeypatch):
    for name in CHANGE_MEANING:
        monkeypatch.setenv(name, "theirs")
    assert {n for n, value in child_environment.build(purpose).items() if value == "theirs"} == set()


@pytest.mark.parametrize(
    ("purpose", "name", "passes"),
    [
        ("terraform", "https_proxy", True),
        ("terraform", "HTTPS_PROXY", True),
        ("terraform", "NO_PROXY", True),
        ("terraform", "TF_TOKEN_app_terraform_io", True),
        ("terraform", "PIP_INDEX_URL", False),
        ("check", "HTTPS_PROXY", False),
        ("package", "PIP_INDEX_URL", True),
        ("package", "PIP_CERT", True),
        ("training", "CUDA_VISIBLE_DEVICES", True),
        ("training", "OMP_NUM_THREADS", True),
        ("package", "OMP_NUM_THREADS", False),
        ("program", "GIT_CONFIG_COUNT", True),
        ("program", "LC_ALL", True),
        ("inv", "EMBEDDED_AWS_HOME", True),
        ("inv", "INVOKE_ENV", False),
        ("terraform", "PATHS", False),
    ],
)
def test_what_a_purpose_needs_passes(purpose, name, passes):
    assert child_environment.passed(purpose, {name: "x"}) == ({name: "x"} if passes else {})


@pytest.mark.parametrize("purpose", PURPOSES)
def test_given_variables_take_precedence(purpose):
    given = {"HOME": "/mine", "LANG": "mine", "NEW": "mine"}
    variables = child_environment.build(purpose, given)
    assert {name: variables[name] for name in given} == given


def test_garbage_collection_of_terraform_is_the_operator_s_choice(monkeypatch):
    monkeypatch.delenv("GOGC", raising=False)
    default = child_environment.FIXED["terraform"]["GOGC"]
    assert child_environment.build("terraform")["GOGC"] == default != "50"
    monkeypatch.setenv("GOGC", "50")
    assert child_environment.build("terraform")["GOGC"] == "50"


@pytest.mark.parametrize("purpose", ["check", "terraform", "training"])
def test_the_home_is_one_without_configuration(tmp_path, monkeypatch, purpose):
    monkeypatch.setattr(child_environment, "WORK", tmp_path)
    assert list(Path(child_environment.build(purpose)["HOME"]).iterdir()) == []


def test_a_missing_home_is_that_of_the_user(monkeypatch):
    monkeypatch.delenv("HOME")
    assert child_environment.build("package")["HOME"] == str(Path.home())


def test_terraform_gets_a_folder_that_is_short_enough_for_sockets(monkeypatch, tmp_path):
    deep = tmp_path / ("x" * child_environment.LONGEST_SOCKET_FOLDER)
    monkeypatch.setattr(child_environment.tempfile, "gettempdir", lambda: str(deep))
    assert child_environment.build("terraform")["TMPDIR"] == "/tmp"
    assert child_environment.build("package")["TMPDIR"] == str(deep)


def test_a_python_child_imports_only_from_its_own_environment(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('leaked')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("LC_ALL", "C")
    code = "import json, sys; print(sys.getfilesystemencoding(), open(sys.executable).encoding)"
    command = [sys.executable, "-c", code]
    environment = child_environment.build("check")
    done = subprocess.run(command, env=environment, cwd=tmp_path.parent, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("utf-8 utf-8\n", "")
    leaking = subprocess.run(command, env={**os.environ}, cwd=tmp_path.parent, capture_output=True, text=True)
    assert "leaked" in leaking.stderr


def test_the_document_shows_what_passes():
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    assert child_environment.table() in text, "run: .venv/bin/python -m ops.child_environment"
