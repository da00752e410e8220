"""Parts of notebook instances and applications, without an embedded AWS."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from embedded_aws.services.ec2.disk import SHIM
from embedded_aws.services.sagemaker.workbench import boot, lab, tickets
from embedded_aws.services.sagemaker.workbench.apps import _idle_minutes, _merged
from embedded_aws.services.sagemaker.workbench.tickets import TargetNotRunning, Tickets
from notebooks_kit import processes


def start(folder, scripts: dict[str, str], jupyter: str = "exit", limit: float = 20) -> subprocess.Popen:
    """What a machine starts, with shell commands for JupyterLab."""
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


@pytest.mark.parametrize(
    ("kernels", "terminals", "ago"),
    [
        ([], [], 60),  # since the start
        ([("idle", 40)], [], 40),
        ([("idle", 40)], [30], 30),
        ([("idle", 90)], [], 60),  # of before the start
        ([("idle", 40), ("busy", 40)], [], 0),
    ],
)
def test_last_use_is_the_latest_activity_of_kernels_and_terminals(kernels, terminals, ago):
    now = datetime.now(timezone.utc)

    def moment(minutes: int) -> str:
        return (now - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")

    answers = {
        "/api/kernels": [{"execution_state": s, "last_activity": moment(m)} for s, m in kernels],
        "/api/terminals": [{"last_activity": moment(m)} for m in terminals],
    }
    asked = SimpleNamespace(started=now - timedelta(minutes=60), _get=answers.__getitem__)
    used = lab.Lab.last_use(asked)
    assert abs(now - timedelta(minutes=ago) - used) < timedelta(seconds=30)


def test_restart_keeps_only_one_folder_of_the_disk(tmp_path):
    disk = tmp_path / "disk"
    lab._keep_only(disk, "/home/ec2-user/SageMaker")
    (disk / "home/ec2-user/SageMaker/work").write_text("kept")
    (disk / "home/ec2-user/.bashrc").write_text("lost")
    (disk / "root").mkdir()
    lab._keep_only(disk, "/home/ec2-user/SageMaker")
    assert [str(p.relative_to(disk)) for p in sorted(disk.rglob("*")) if p.is_file()] == [
        "home/ec2-user/SageMaker/work"
    ]
    # Killed in the middle of it: what was put aside is not lost.
    (disk / "home/ec2-user/SageMaker").rename(tmp_path / "kept")
    lab._keep_only(disk, "/home/ec2-user/SageMaker")
    assert (disk / "home/ec2-user/SageMaker/work").read_text() == "kept"


def test_sudo_login_sets_the_home_folder(tmp_path):
    (tmp_path / "ann").mkdir()
    shim = tmp_path / "sudo"
    shim.symlink_to(SHIM)
    environment = {
        **os.environ,
        "EMBEDDED_AWS_HOMES": str(tmp_path),
        "EMBEDDED_AWS_RUN": str(tmp_path),
        "HOME": "/",
    }

    def said(*arguments: str) -> str:
        command = ["/bin/sh", str(shim), *arguments, "sh", "-c", "echo $HOME"]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()

    assert said("-u", "ann", "-i") == str(tmp_path / "ann")
    assert said("-i", "-u", "ann") == str(tmp_path / "ann")
    assert said("-u", "ann") == "/"
    assert said("-u", "nobody", "-i") == "/"


def test_presigned_url_expires(monkeypatch):
    moment = [100.0]
    monkeypatch.setattr(tickets, "time", SimpleNamespace(monotonic=lambda: moment[0]))
    issued = Tickets(SimpleNamespace(endpoint_url="http://here"))
    url = issued.issue(300, lambda: "http://there/lab?token=t")
    path = url.removeprefix("http://here")
    moment[0] = 399.9
    status, headers, _ = issued.answer(path)
    assert status == "302 Found" and ("Location", "http://there/lab?token=t") in headers
    moment[0] = 400.0
    assert issued.answer(path)[0] == "403 Forbidden"
    assert issued.answer(tickets.PATH)[0] == "403 Forbidden"


def test_presigned_url_page_escapes_html():
    def nothing() -> str:
        raise TargetNotRunning("The space <b> has no running application.")

    issued = Tickets(SimpleNamespace(endpoint_url=""))
    status, _, body = issued.answer(issued.issue(300, nothing))
    assert status == "404 Not Found" and b"The space &lt;b&gt; has no" in body


@pytest.mark.parametrize(
    ("usual", "own", "minutes"),
    [
        ({}, {"IdleTimeoutInMinutes": 60}, None),  # not enabled
        ({"LifecycleManagement": "ENABLED"}, {}, None),
        ({"LifecycleManagement": "ENABLED", "IdleTimeoutInMinutes": 90}, {}, 90),
        ({"LifecycleManagement": "ENABLED", "IdleTimeoutInMinutes": 90}, {"IdleTimeoutInMinutes": 60}, 60),
        ({"LifecycleManagement": "ENABLED", "MaxIdleTimeoutInMinutes": 80}, {"IdleTimeoutInMinutes": 90}, 80),
        ({"LifecycleManagement": "ENABLED", "MinIdleTimeoutInMinutes": 70}, {"IdleTimeoutInMinutes": 60}, 70),
    ],
)
def test_idle_timeout_of_a_space_is_bounded_by_its_domain(usual, own, minutes):
    settings = [{"AppLifecycleManagement": {"IdleSettings": idle}} for idle in (usual, own)]
    assert _idle_minutes(*settings) == minutes


def test_user_settings_override_domain_settings():
    assert _merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "e": 5}) == {
        "a": {"b": 1, "c": 4},
        "d": 3,
        "e": 5,
    }
