"""Supervisor: no child outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from embedded_aws.processes.supervisor import Supervisor

# A child that ignores SIGTERM, with a grandchild; it prints both numbers.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
print(os.getpid(), grandchild.pid, flush=True)
time.sleep(600)
"""


def command(program: str) -> list[str]:
    return [sys.executable, "-S", "-c", program]


def alive(pid: int) -> bool:
    try:
        state = (
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()[0]
        )
    except FileNotFoundError:
        return False
    return state != "Z"


def test_end_ends_the_whole_process_group(tmp_path: Path, until) -> None:
    supervisor = Supervisor()
    child = supervisor.spawn(command(STUBBORN), env={}, cwd=tmp_path)
    pids = [int(word) for word in child.stdout.readline().split()]
    assert pids[0] == child.pid and all(map(alive, pids)) and supervisor.count() == 1
    assert supervisor.end(child, grace=0.2) == -signal.SIGKILL
    until(lambda: not any(map(alive, pids)), 5)
    assert supervisor.count() == 0
    child.stdout.close()


def test_end_all_ends_children_of_a_replaced_guardian_too(tmp_path: Path, until) -> None:
    supervisor = Supervisor()
    children = [supervisor.spawn(command(STUBBORN), env={}, cwd=tmp_path)]
    supervisor._guardian.kill()
    supervisor._guardian.wait()
    children.append(supervisor.spawn(command(STUBBORN), env={}, cwd=tmp_path))
    pids = [int(word) for child in children for word in child.stdout.readline().split()]
    supervisor.end_all(grace=0.2)
    until(lambda: not any(map(alive, pids)), 5)
    for child in children:
        child.stdout.close()


def test_the_guardian_kills_children_of_a_killed_supervisor(tmp_path: Path, until) -> None:
    program = f"""
import sys, time
from pathlib import Path
from embedded_aws.processes.supervisor import Supervisor
child = Supervisor().spawn([sys.executable, "-S", "-c", {STUBBORN!r}], env={{}}, cwd=Path("."))
print(child.stdout.readline().decode(), flush=True)
time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    pids = [int(word) for word in owner.stdout.readline().split()]
    assert len(pids) == 2 and all(map(alive, pids))
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    until(lambda: not any(map(alive, pids)), 10)
    owner.stdout.close()
