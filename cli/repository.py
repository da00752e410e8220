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
        "quick": "only the unit tests (one to two minutes)",
        "slowest": "also print the 20 slowest tests and fixtures",
    }
)
def test(c: Context, k: str | None = None, quick: bool = False, slowest: bool = False) -> None:
    """Run the whole test suite; needs no AWS account."""
    # Tests of a file share an embedded AWS. The order of the files is kept: the longest files come first.
    distribution = ["worksteal"] if quick else ["loadfile", "--no-loadscope-reorder"]
    command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "--dist", *distribution]
    command += ["--durations", "20"] if slowest else []
    command += ["-k", k] if k else []
    command += ["-m", "not slow"] if quick else []
    raise Exit(code=subprocess.run(command, cwd=ROOT, env=child_environment.build("inv")).returncode)
