"""The gates, side by side: each looks at something of its own, and fails on anything it finds or could not look at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ops.checks import checkov, documents, lint, skips
from ops.checks.findings import Finding, Result, merged
from ops.checks.terraform import Configuration
from ops.errors import OperatorError

GATES = {
    "format": "terraform fmt",
    "validate": "terraform validate of every root",
    "tests": "terraform test of every module and root",
    "skips": "every skip of checkov says why",
    "source": "checkov on the Terraform sources",
    "plan": "checkov on the plans, whose policies must be known",
    "policies": "own checkov checks on the documents in policies/",
    "cloudsplaining": "cloudsplaining on the roles' documents",
    "parliament": "parliament on all documents",
}
"""What each gate looks at, in the order of the table."""


class Gates:
    """Runs gates as processes, as many at a time as there are processors; a context manager that waits for them.

    root: of the repository. work: folder for what can be made again. python: gives the interpreter that has checkov.
    """

    def __init__(self, root: Path, work: Path, python: Path):
        self.root, self.work, self.python = root, work, python
        self._parts: list[tuple[str, Future[Result]]] = []

    def __enter__(self) -> Gates:
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 2)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def start(self, *, tests: bool = False) -> None:
        """Start all that needs no plan. tests: whether Terraform's tests are among it: they take longest."""
        exceptions = documents.Exceptions(self.root)
        configuration = Configuration(self.root, self.work)
        self._start("source", checkov.source, self.root, self.python)
        for folder in configuration.roots:
            self._start("validate", configuration.validity, folder)
        self._start("policies", checkov.policies, self.root, self.python, exceptions)
        for tool in ("cloudsplaining", "parliament"):
            self._start(tool, lint.lint, tool, self.root, self.python, exceptions)
        self._start("format", configuration.formatting)
        self._start("skips", skips.reasons, self.root)
        for folder in configuration.tested if tests else ():
            self._start("tests", configuration.tests, folder)

    def start_plan(self, name: str, content: dict) -> None:
        """Start the checks of a plan. name: as `checkov.plan` takes it. content: `terraform show -json`."""
        self._start("plan", checkov.plan, self.root, self.python, name, content, self.work / "plans")

    def fail(self, gate: str, finding: Finding) -> None:
        """Note what kept a gate from running."""
        self._start(gate, lambda: Result(gate, findings=(finding,)))

    def results(self) -> list[Result]:
        """Wait for all that was started; one result per gate, in the order of the table."""
        done = [(gate, future.result()) for gate, future in self._parts]
        names = [name for name in GATES if any(gate == name for gate, _ in done)]
        return [merged(name, [part for gate, part in done if gate == name]) for name in names]

    def _start(self, gate: str, check: Callable[..., Result], *arguments) -> None:
        self._parts.append((gate, self._pool.submit(_timed, gate, check, *arguments)))


def _timed(gate: str, check: Callable[..., Result], *arguments) -> Result:
    """A gate that cannot run has failed."""
    began = time.monotonic()
    try:
        result = check(*arguments)
    except OperatorError as error:
        result = Result(
            gate, findings=(Finding("did not run", str(error), "mend that and check again", "terraform"),)
        )
    return Result(gate, result.examined, result.findings, time.monotonic() - began)
