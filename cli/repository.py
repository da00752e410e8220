"""The tasks of this repository: test."""

from __future__ import annotations

import subprocess
import sys

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from ops import child_environment
from ops.paths import ROOT


@task(
    help={
        "k": "only tests whose name matches",
        "quick": "only the unit tests (three minutes)",
        "slowest": "also print the 20 slowest tests and fixtures",
    }
)
def test(c: Context, k: str | None = None, quick: bool = False, slowest: bool = False) -> None:
    """Run the whole test suite; needs no AWS account."""
    # Tests of a file share an embedded AWS. The order of the files is kept: the longest files come first. As many tests wait
    # for processes and services, three workers keep two cores busy; the quick ones do not wait.
    distribution = (
        ["2", "--dist", "worksteal"] if quick else ["3", "--dist", "loadfile", "--no-loadscope-reorder"]
    )
    command = [sys.executable, "-m", "pytest", "-q", "-n", *distribution]
    command += ["--durations", "20"] if slowest else []
    command += ["-k", k] if k else []
    command += ["-m", "not slow"] if quick else []
    raise Exit(code=subprocess.run(command, cwd=ROOT, env=child_environment.build("inv")).returncode)
