"""Check the repository with every gate, plans from scratch included."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ops.checks import gates, venv
from ops.checks.findings import Finding, Result
from ops.console import Step
from ops.environment import Environment
from ops.errors import OperatorError
from ops.paths import ROOT, WORK
from ops.terraform import stacks
from pipeline.plan_from_scratch import ON_DEMAND, WORKBENCHES, plan_from_scratch

ScratchAccount = Callable[[Step], contextlib.AbstractContextManager[Environment]]
"""Starts an empty account to plan on."""


def run(
    environment: str, scratch: ScratchAccount, stack: str | None = None, *, tests: bool = False
) -> list[Result]:
    """Run every gate and return the results.

    environment: its name.
    stack: plan only this one.
    tests: also run `terraform test`.
    """
    chosen = _chosen(stack)
    with Step("checkov") as step:
        python = venv.python(step)
        step.note = "installed"
    folder = WORK / "check"
    with Step("gates") as step, _exclusive_lock(folder, step), gates.Gates(ROOT, folder, python) as running:
        running.start(tests=tests)
        _check_plans(chosen, scratch, running, step)
        step("waiting for the last gates")
        results = running.results()
        step.note = f"{sum(r.examined for r in results):,} objects examined for {environment}"
    return results


def _chosen(stack: str | None) -> list[str]:
    """Return the plans to make: every root's, and one for each kind of workbench. Raises OperatorError if unknown."""
    if stack is None:
        return [*stacks.NAMES, *ON_DEMAND]
    if stack == "workbench":
        return list(WORKBENCHES)
    if stack not in (*stacks.NAMES, "training_host"):
        choices = ", ".join([*stacks.NAMES, "training_host"])
        raise OperatorError(f"There is no stack {stack!r}: choose {choices} or workbench.")
    return [stack]


def _check_plans(chosen: Sequence[str], scratch: ScratchAccount, running: gates.Gates, step: Step) -> None:
    """Plan stacks from scratch and start the gate that examines the plans."""
    planned: dict[str, dict[str, Any]] = {}
    try:
        with scratch(step) as env:
            for name, content in plan_from_scratch(env, chosen, step):
                planned[name] = content
    except OperatorError as error:
        running.fail("plan", Finding("did not run", str(error), "fix the cause and check again", "terraform"))
    running.start_plans(planned)
    for name in sorted(set(chosen) - set(planned)):
        what = f"the plan of {name} was not checked"
        root = f"terraform/{name.partition('/')[0]}"
        running.fail("plan", Finding("did not run", what, "make sure that it can be planned", root))


@contextlib.contextmanager
def _exclusive_lock(folder: Path, step: Step) -> Iterator[None]:
    """Run one check at a time in a work folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            step("waiting for another ./inv check", important=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
