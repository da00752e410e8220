"""Commands in sessions of their own: terminals, signals, limits, and every process that they started."""

from __future__ import annotations

import io
import os
import signal
import tarfile
from pathlib import Path

import pytest

from ops.paths import ROOT
from pipeline.faults import models, processes
from pipeline.faults.command import Command

SECONDS = 30.0
TRAPS = """
trap 'echo got HUP >> "$INV_WORK/signals"; exit 129' HUP
trap 'echo got INT >> "$INV_WORK/signals"; exit 130' INT
echo ready
while :; do sleep 0.05; done
"""


@pytest.fixture
def command(tmp_path):
    """Return a function that starts a script as `./inv`."""
    work = tmp_path / "work"
    work.mkdir()
    started = []

    def start(script: str, **options) -> Command:
        program = tmp_path / "inv"
        program.write_text(f"#!/bin/sh\n{script}")
        program.chmod(0o755)
        environment = {"PATH": os.environ["PATH"], "INV_WORK": str(work)}
        started.append(Command(("task",), tmp_path, environment, tmp_path / "output.log", **options))
        return started[-1]

    yield start
    for found in started:
        found.end()


def is_ready(command: Command) -> bool:
    return command.wait_until(lambda: "ready" in command.text, SECONDS)


def signals(command: Command) -> str:
    return (command.work / "signals").read_text()


def test_output_result_and_exit_status(command):
    found = command(
        "echo '{\"a\": 1}'; echo progress >&2; echo 'inv: Wrong: do this.' >&2; echo tail >&2; exit 3"
    )
    assert found.wait(SECONDS) == 3
    assert found.json == {"a": 1}
    assert found.message == "Wrong: do this."
    assert found.title == "./inv task"


def test_a_line_of_a_table_is_its_cells(command):
    found = command("echo '│ orphan  │ a role │ in no state │' >&2; echo in no state: another >&2")
    found.wait(SECONDS)
    assert found.line("in no state") == "orphan, a role, in no state"
    assert found.line("missing") == ""


def test_a_closed_terminal_sends_a_signal(command):
    found = command(TRAPS, terminal=True)
    assert is_ready(found)
    found.close_terminal()
    assert found.wait(SECONDS) == 129
    assert signals(found) == "got HUP\n"


def test_ctrl_c_is_typed(command):
    found = command(TRAPS, terminal=True)
    assert is_ready(found)
    found.type(b"\x03")
    assert found.wait(SECONDS) == 130
    assert signals(found) == "got INT\n"


def test_kill_9_leaves_what_the_command_started(command):
    found = command('sh -c "while :; do sleep 0.05; done" & echo ready >&2; wait')
    assert is_ready(found)
    found.signal(signal.SIGKILL)
    assert found.wait(SECONDS) == -signal.SIGKILL
    assert processes.of(found.work)
    found.end()
    assert processes.of(found.work) == []


def test_a_full_disk(command):
    found = command('head -c 100000 /dev/zero > "$INV_WORK/file" || exit 7', file_blocks=16, terminal=True)
    assert found.wait(SECONDS) == 7
    assert (found.work / "file").stat().st_size <= 16 * 1024


def test_a_command_that_does_not_end_is_ended(command):
    found = command("while :; do sleep 0.05; done")
    found.wait(0.2)
    assert "did not end within" in found.message
    assert processes.of(found.work) == []


def test_steps_of_terraform_are_counted_in_its_logs(command):
    found = command(
        'mkdir -p "$INV_WORK/a" && printf \'{"type":"apply_start"}\\n{"type":"x"}\\n{"type":"apply_start"}\\n\''
        ' > "$INV_WORK/a/run.jsonl"'
    )
    found.wait(SECONDS)
    assert found.terraform_steps() == 2


def test_a_bad_model_is_the_good_one_that_fails_later():
    source = (ROOT / "ml" / "container" / "service.py").read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in (("./model.json", b"{}"), ("./code/service.py", source)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    with tarfile.open(fileobj=io.BytesIO(models._broken(packed.getvalue()))) as archive:
        found = {member.name: archive.extractfile(member).read() for member in archive}
    assert found["./model.json"] == b"{}"
    assert b"a fault of the laboratory" in found["./code/service.py"]
    compile(found["./code/service.py"], "service.py", "exec")
    assert Path(models._SERVICE).name == "service.py"
