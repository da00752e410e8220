"""The program behind `./inv`, and the pipe that its output goes into."""

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
    """Starts the program on two tasks."""
    (tmp_path / "tasks.py").write_text(TASKS)

    def start(*arguments: str, stdout: int) -> subprocess.Popen:
        command = [sys.executable, "-c", RUN, str(ROOT), *arguments]
        return subprocess.Popen(command, cwd=tmp_path, stdout=stdout, stderr=subprocess.PIPE, text=True)

    return start


@pytest.mark.parametrize("arguments", [["--list"], ["talk"]], ids=["at the end", "amid a task"])
def test_a_reader_who_has_seen_enough_ends_it_without_a_word(start, arguments):
    reads, writes = os.pipe()
    os.close(reads)
    process = start(*arguments, stdout=writes)
    os.close(writes)
    assert process.communicate(timeout=20)[1] == ""
    assert process.returncode == 141  # as of a program that SIGPIPE ended


def test_another_pipe_that_breaks_is_an_error(start):
    out, error = start("fail", stdout=subprocess.PIPE).communicate(timeout=20)
    assert out == "working\n"
    assert "BrokenPipeError: of a connection" in error
