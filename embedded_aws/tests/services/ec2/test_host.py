"""Hosts without namespaces: their files, their power commands and the end of their processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.ec2 import host as host_module
from embedded_aws.services.ec2 import init, machine
from embedded_aws.services.ec2.user_data import Script
from host_kit import new_host

pytestmark = pytest.mark.slow  # starts processes


class Boot:
    """A machine without namespaces."""

    def __init__(self, host, folder, script: str) -> None:
        self.supervisor, self.statuses = Supervisor(), []
        self._ended = threading.Event()
        folder.mkdir()
        self.machine = machine.Machine(host, folder, self.supervisor, "http://127.0.0.1:1", folder)
        self.machine.start([Script(f"#!/bin/bash\n{script}".encode())], lambda role: {}, self._end)

    def _end(self, ended: machine.Machine, status: int) -> None:
        self.statuses.append(status)
        self._ended.set()

    def wait(self) -> int:
        assert self._ended.wait(20)
        return self.statuses[0]

    @property
    def console(self) -> str:
        return self.machine.console.tail().decode()


@pytest.fixture
def boot(tmp_path, monkeypatch):
    monkeypatch.setattr(host_module, "refusal", lambda *_: "refused by the test")
    booted: list[Boot] = []

    def start(script: str) -> Boot:
        booted.append(Boot(new_host(), tmp_path / str(len(booted)), script))
        return booted[-1]

    yield start
    for each in booted:
        each.machine.end()


def test_host_without_namespaces_has_its_own_folders(boot, tmp_path):
    booted = boot(
        'echo "$HOME $TMPDIR"; logger -t me hello; yum install -y x; sudo -u nobody echo as me; poweroff'
    )
    assert booted.wait() == 0
    disk = tmp_path / "0/disk"
    assert f"{disk}/root {disk}/tmp" in booted.console
    assert "without namespaces" in booted.console and "me: hello" in booted.console
    assert "yum install -y x: skipped" in booted.console and "as me" in booted.console


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("shutdown -h now", 0),
        ("halt", 0),
        ("systemctl --no-block poweroff", 0),
        ("init 0", 0),
        ("shutdown -r now", init.REBOOT),
        ("sudo reboot", init.REBOOT),
    ],
)
def test_power_command_ends_the_host(boot, command, status):
    assert boot(f"{command}; sleep 30").wait() == status


def test_delayed_shutdown_can_be_canceled(boot, until):
    booted = boot("shutdown -h +5; shutdown -c; echo cancelled; shutdown now")
    assert booted.wait() == 0
    assert "poweroff in 300 s" in booted.console and "cancelled" in booted.console


ESCAPE = "setsid sleep 3605 & (env -i setsid sleep 3606 &); echo ready; sleep 3607"


def sleepers() -> set[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return {
        line for line in listed.splitlines() if line.startswith(("sleep 3605", "sleep 3606", "sleep 3607"))
    }


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_end_ends_detached_processes(boot, until):
    booted = boot(f"trap '' TERM; {ESCAPE}")
    until(lambda: "ready" in booted.console and len(sleepers()) == 3)
    booted.machine.end()
    assert not sleepers()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_kill_of_the_first_process_ends_detached_processes(boot, until):
    booted = boot(ESCAPE)
    until(lambda: "ready" in booted.console and len(sleepers()) == 3)
    os.killpg(booted.machine._child.pid, signal.SIGKILL)  # as the guardian does
    until(lambda: not sleepers())


def test_terminate_repeats_the_signal_until_the_process_handles_it():
    code = (
        "import signal, sys, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(0.3); "
        "signal.signal(15, lambda *_: sys.exit(0)); time.sleep(60)"
    )
    command = [sys.executable, "-S", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout
        child.stdout.readline()
        machine.Machine._terminate(child)
        assert child.returncode == 0
