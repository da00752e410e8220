"""Signals and kills: Terraform gets one interrupt and is waited for; what a killed one leaves is ended.

A child process is the command: it plans a stack with a fake Terraform, as a task of `./inv`.
"""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from ops import processes
from ops.errors import OperatorError

ROOT = Path(__file__).parents[3]
COMMAND = """
import sys
from pathlib import Path
from invoke import Collection
from cli.program import Inv
from cli.task import operator_task
from ops.console import Step
from ops.terraform import providers, stack
sys.path.append("tests/ops/terraform")
from file_s3 import FileS3

for module in (stack, providers):
    module.ROOT, module.WORK = Path(sys.argv[1]), Path(sys.argv[1], ".work")

@operator_task()
def plan(c):
    with Step("foundation") as step:
        s3 = FileS3(Path(sys.argv[2]))
        options = dict(root="foundation", key="test/foundation.tfstate", state_bucket="states", region="eu-west-1")
        stack.Stack(**options, progress=step, s3=s3).plan()

Inv(namespace=Collection(plan), name="inv").run(["inv", "plan"])
"""
WAITING = (
    "waiting for Terraform to finish what it is doing and save its state; another Ctrl-C changes nothing"
)


class Command:
    """The command while it runs in a session of its own."""

    def __init__(self, repository: Path, s3: Path, **options):
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(repository), str(s3)],
            cwd=ROOT,
            start_new_session=True,
            **{"stderr": subprocess.PIPE, "text": True, **options},
        )

    def send(self, *signals: int) -> None:
        """Send signals to all processes of its group, as a terminal does."""
        for number in signals:
            os.killpg(self.process.pid, number)

    def end(self) -> tuple[int, str]:
        """Return its exit code and standard error."""
        _, error = self.process.communicate(timeout=30)
        return self.process.returncode, error


@pytest.fixture
def command(stack, fake_terraform, repository, s3, until):
    """Return a function that starts the command, whose Terraform waits for the file `go`."""
    fake_terraform.does("plan", {"wait": "go", "provider": True}, {})
    started = []

    def start(**options) -> Command:
        started.append(Command(repository, s3.folder, **options))
        until(lambda: fake_terraform.calls("plan"))
        return started[-1]

    yield start
    (fake_terraform.home / "go").touch()
    for running in started:
        running.process.kill()
        running.process.wait()
    until(lambda: not any(processes.started(call["process"]) for call in fake_terraform.calls()))
    provider = fake_terraform.home / "provider"
    if provider.exists() and processes.started(int(provider.read_text())):
        os.kill(int(provider.read_text()), signal.SIGKILL)


@pytest.fixture
def go(fake_terraform):
    """Return a function that lets Terraform finish."""
    return lambda: (fake_terraform.home / "go").touch()


@pytest.fixture
def provider(fake_terraform):
    """Return a function that returns whether the provider process runs."""
    return lambda: bool(processes.started(int((fake_terraform.home / "provider").read_text())))


def locked(s3) -> bool:
    return any(file.name.endswith("tflock") for file in s3.folder.iterdir())


# ---- signals ----


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ([signal.SIGINT], 130),
        ([signal.SIGINT, signal.SIGINT, signal.SIGTERM], 130),
        ([signal.SIGTERM], 143),
        ([signal.SIGHUP, signal.SIGHUP], 129),
    ],
    ids=["Ctrl-C", "Ctrl-C twice and more", "SIGTERM", "SIGHUP twice"],
)
def test_terraform_gets_one_interrupt_and_is_waited_for(
    command, fake_terraform, s3, until, go, signals, code
):
    running = command()
    running.send(*signals[:1])
    until(lambda: fake_terraform.signals)
    running.send(*signals[1:])
    with pytest.raises(subprocess.TimeoutExpired):
        running.process.wait(0.2)
    assert locked(s3)
    go()
    ended, error = running.end()
    assert (ended, fake_terraform.signals) == (code, [signal.SIGINT])
    assert error.count(WAITING) == 1
    assert "inv: interrupted; run the same command again to resume." in error
    assert "Traceback" not in error
    assert (fake_terraform.home / "plan.ended").exists()
    assert not locked(s3)


def test_a_closed_terminal_does_not_stop_the_wait(command, fake_terraform, s3, until, go):
    """The terminal's end sends SIGHUP, and every write to it fails."""
    ours, terminal = pty.openpty()
    running = command(
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(terminal)
    os.close(ours)
    until(lambda: fake_terraform.signals)
    assert running.process.poll() is None
    go()
    assert running.process.wait(30) == 129
    assert fake_terraform.signals == [signal.SIGINT]
    assert (fake_terraform.home / "plan.ended").exists()
    assert not locked(s3)


def test_a_signal_that_is_ignored_stays_ignored(command, fake_terraform, go):
    running = command(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    running.send(signal.SIGHUP)
    go()
    assert running.end()[0] == 0
    assert fake_terraform.signals == []


def test_outside_the_main_thread_terraform_runs_to_its_end(stack, fake_terraform):
    made = stack()
    thread = threading.Thread(target=made.plan)
    thread.start()
    thread.join(30)
    assert len(fake_terraform.calls("plan")) == 1


# ---- kills ----


def test_terraform_finishes_after_its_command_is_killed(command, stack, fake_terraform, s3, until, go):
    running = command()
    running.process.kill()
    running.process.wait()
    made = stack()
    thread = threading.Thread(target=made.plan)
    thread.start()
    until(lambda: made.texts)
    assert made.texts[0].startswith("waiting for the Terraform of `")
    assert len(fake_terraform.calls("plan")) == 1
    go()
    thread.join(30)
    assert len(fake_terraform.calls("plan")) == 2
    assert any(text.startswith("taking over the state lock of foundation") for text in made.texts)
    assert not locked(s3)


def test_providers_of_a_killed_terraform_are_ended_by_this_run(command, fake_terraform, s3, provider):
    running = command()
    os.kill(fake_terraform.calls("plan")[0]["process"], signal.SIGKILL)
    code, error = running.end()
    assert code == 1
    assert "inv: SIGKILL ended Terraform during plan of foundation: run the same command again" in error
    assert not provider()
    assert not locked(s3)


def test_providers_are_ended_by_the_next_run_if_both_were_killed(
    command, stack, fake_terraform, s3, until, provider
):
    running = command()
    running.process.kill()
    os.kill(fake_terraform.calls("plan")[0]["process"], signal.SIGKILL)
    running.process.wait()
    assert provider()
    made = stack()
    made.plan()
    assert "ended a process that a killed Terraform left" in made.texts
    assert not provider()
    assert not (made.work / "unfinished").exists()


@pytest.mark.parametrize(
    "session", [f"{{provider}} {processes.boot()}", "{leader} earlier pid:[1]", "", "x y"]
)
def test_other_processes_are_not_ended(command, stack, fake_terraform, provider, go, until, session):
    """The recorded session is that of a running process, of an earlier boot, or not recorded."""
    running = command()
    leader = fake_terraform.calls("plan")[0]["process"]
    go()
    running.process.kill()
    running.process.wait()
    until(lambda: not processes.started(leader))
    made = stack()
    ids = {"leader": leader, "provider": (fake_terraform.home / "provider").read_text()}
    (made.work / "unfinished").write_text(session.format(**ids))
    made.plan()
    assert provider()


def test_a_plan_after_a_killed_one_succeeds(stack, fake_terraform):
    fake_terraform.does("plan", {"signal": signal.SIGKILL}, {})
    made = stack()
    with pytest.raises(OperatorError, match="SIGKILL ended Terraform during plan of foundation"):
        made.plan()
    assert made.plan().changes == ()
