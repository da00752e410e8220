"""The main process of a notebook instance."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest

from embedded_aws.services.sagemaker.workbench import boot
from notebooks_kit import processes

pytestmark = pytest.mark.slow  # starts processes


def start(folder, scripts: dict[str, str], jupyter: str = "exit", limit: float = 20) -> subprocess.Popen:
    """Start `boot` with lifecycle scripts, and a shell command in place of JupyterLab."""
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o700)
    config = {
        "scripts": [{"file": name, "stream": name} for name in scripts],
        "limit": limit,
        "directory": str(folder),
        "jupyter": {
            "command": ["/bin/sh", "-c", jupyter],
            "directory": str(folder),
            "environment": {"HOME": "/its/home"},
            "stream": "jupyter",
        },
    }
    (folder / "boot.json").write_text(json.dumps(config))
    environment = {**os.environ, "EMBEDDED_AWS_RUN": str(folder), "EMBEDDED_AWS_INSTANCE": str(folder)}
    return subprocess.Popen(
        [sys.executable, boot.__file__], env=environment, stdout=subprocess.PIPE, text=True
    )


def events(process: subprocess.Popen) -> list[dict]:
    assert process.stdout is not None
    with process.stdout:
        return [json.loads(line) for line in process.stdout]


def test_scripts_run_in_order_until_one_fails(tmp_path):
    booted = start(
        tmp_path, {"one": "echo 1; cd /", "two": "#!/bin/sh\necho 2 >&2; exit 7", "three": "echo 3"}
    )
    assert events(booted) == [
        {"stream": "one", "line": "1"},
        {"script": "one", "status": 0},
        {"stream": "two", "line": "2"},
        {"script": "two", "status": 7},
    ]
    assert booted.wait() == 1


def test_script_is_killed_at_its_time_limit(tmp_path):
    booted = start(tmp_path, {"slow": "echo begun; exec sleep 60"}, limit=0.5)
    assert events(booted) == [{"stream": "slow", "line": "begun"}, {"script": "slow", "status": None}]


def test_background_process_keeps_running_and_jupyter_is_restarted(tmp_path):
    (tmp_path / "turns").write_text("")
    jupyter = 'echo "$HOME"; echo >> turns; [ "$(wc -l < turns)" -lt 2 ] || exec sleep 60'
    booted = start(tmp_path, {"leaves": "(sleep 60; echo late) & echo early"}, jupyter)
    try:
        lines = iter(booted.stdout.readline, "")
        seen = [json.loads(next(lines)) for _ in range(4)]
    finally:
        for process in processes(str(tmp_path)):
            with contextlib.suppress(ProcessLookupError):  # it ended after it was listed
                os.kill(process, signal.SIGKILL)
        booted.stdout.close()
        booted.wait()
    assert seen == [
        {"stream": "leaves", "line": "early"},
        {"script": "leaves", "status": 0},
        {"stream": "jupyter", "line": "/its/home"},
        {"stream": "jupyter", "line": "/its/home"},
    ]
