"""The program behind `./inv`, and a broken pipe after its output."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ops.paths import ROOT

RUN = "import sys; sys.path.insert(0, sys.argv.pop(1)); from cli.program import program; program.run(['inv', *sys.argv[1:]])"
TASKS = """
from invoke import task

@task
def talk(c):
    for number in range(100_000):
        print("line", number)

@task
def fail(c):
    print("working")
    raise BrokenPipeError("of a connection")
"""


@pytest.fixture
def start(tmp_path):
    """Return a function that starts the program with two tasks."""
    (tmp_path / "tasks.py").write_text(TASKS)

    def start(*arguments: str, stdout: int) -> subprocess.Popen:
        command = [sys.executable, "-c", RUN, str(ROOT), *arguments]
        return subprocess.Popen(command, cwd=tmp_path, stdout=stdout, stderr=subprocess.PIPE, text=True)

    return start


@pytest.mark.parametrize("arguments", [["--list"], ["talk"]], ids=["at the end", "in a task"])
def test_a_reader_who_closes_the_pipe_ends_the_program_silently(start, arguments):
    reads, writes = os.pipe()
    os.close(reads)
    process = start(*arguments, stdout=writes)
    os.close(writes)
    assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == 141  # like a program ended by SIGPIPE


def test_another_broken_pipe_is_an_error(start):
    out, error = start("fail", stdout=subprocess.PIPE).communicate(timeout=20)
    assert out == "working\n"
    assert "BrokenPipeError: of a connection" in error
