"""Run the gates in parallel. A gate fails on any finding, and if it cannot run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ops.checks import checkov, documents, policy_linters, python, skips
from ops.checks.findings import Finding, Result, merged
from ops.checks.terraform import Configuration
from ops.errors import OperatorError

GATES = {
    "ruff": "ruff check and ruff format on all Python sources",
    "mypy": "mypy on the Python packages that pyproject.toml names",
    "format": "terraform fmt",
    "validate": "terraform validate of every root",
    "tests": "terraform test of every module and root",
    "skips": "every checkov skip has a reason",
    "source": "checkov on the Terraform sources",
    "plan": "checkov on the plans, whose policies must be known at plan time",
    "policies": "custom checkov checks on the documents in policies/",
    "cloudsplaining": "cloudsplaining on the identity policies",
    "parliament": "parliament on all policies",
}
"""Description of each gate, in the order of the table."""


class Gates:
    """Runs gates as processes, one per CPU. A context manager that waits for them.

    root: the repository.
    work: folder for caches.
    python: interpreter of .venv-checkov.
    """

    def __init__(self, root: Path, work: Path, python: Path):
        self.root, self.work, self.python = root, work, python
        self._parts: list[tuple[str, Future[Result]]] = []
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Gates:
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 2)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        self._cleanup.close()

    def start(self, *, tests: bool = False) -> None:
        """Start the gates that need no plan. tests: include `terraform test`, which takes longest."""
        exceptions = documents.Exceptions(self.root)
        configuration = Configuration(self.root, self.work)
        self._cleanup.callback(configuration.close)
        self._start("source", checkov.source, self.root, self.python)
        for folder in configuration.roots:
            self._start("validate", configuration.validity, folder)
        self._start("policies", checkov.policies, self.root, self.python, exceptions)
        for tool in ("cloudsplaining", "parliament"):
            self._start(tool, policy_linters.lint, tool, self.root, self.python, exceptions)
        self._start("ruff", python.ruff, self.root)
        self._start("mypy", python.mypy, self.root, self.work)
        self._start("format", configuration.formatting)
        self._start("skips", skips.reasons, self.root)
        for folder in configuration.tested if tests else ():
            self._start("tests", configuration.tests, folder)

    def start_plans(self, contents: Mapping[str, dict[str, Any]]) -> None:
        """Start gate plan. contents: plans by name, as `checkov.plan` takes them."""
        self._start("plan", self._examine, contents)

    def _examine(self, contents: Mapping[str, dict[str, Any]]) -> Result:
        results = checkov.plan(self.root, self.python, contents, self.work / "plans")
        return merged("plan", [*results.values()])

    def fail(self, gate: str, finding: Finding) -> None:
        """Add a finding for a gate that could not run."""
        self._start(gate, lambda: Result(gate, findings=(finding,)))

    def results(self) -> list[Result]:
        """Wait for the gates and return one result per gate, in the order of the table."""
        done = [(gate, future.result()) for gate, future in self._parts]
        names = [name for name in GATES if any(gate == name for gate, _ in done)]
        return [merged(name, [part for gate, part in done if gate == name]) for name in names]

    def _start(self, gate: str, check: Callable[..., Result], *arguments: Any) -> None:
        self._parts.append((gate, self._pool.submit(_timed, gate, check, *arguments)))


def _timed(gate: str, check: Callable[..., Result], *arguments: Any) -> Result:
    """Run a part of a gate. An error of the operator becomes a finding."""
    began = time.monotonic()
    try:
        result = check(*arguments)
    except OperatorError as error:
        result = Result(
            gate, findings=(Finding("did not run", str(error), "fix the cause and check again", "terraform"),)
        )
    return Result(gate, result.examined, result.findings, time.monotonic() - began)
