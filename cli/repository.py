"""The tasks of this repository: test."""

from __future__ import annotations

import subprocess
import sys

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from ops.paths import ROOT


@task(help={"k": "only tests whose name matches", "quick": "only the unit tests (under a minute)"})
def test(c: Context, k: str | None = None, quick: bool = False) -> None:
    """Run the whole test suite; needs no AWS account."""
    share = "worksteal" if quick else "loadfile"  # tests of a file share an embedded AWS
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", share, "-q"]
    command += ["-k", k] if k else []
    command += ["-m", "not slow"] if quick else []
    raise Exit(code=subprocess.run(command, cwd=ROOT).returncode)
