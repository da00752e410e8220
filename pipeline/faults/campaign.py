"""Run cases: prepare the states they start from, break, run again, compare."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from queue import Queue

from botocore.exceptions import BotoCoreError, ClientError

from ops.console import Step
from ops.errors import OperatorError
from pipeline.faults import inventory, stages
from pipeline.faults.case import NOTHING, SUCCEEDS, Case, Reference, Row, Unexpected
from pipeline.faults.lab import Lab
from pipeline.faults.stages import Stage

_SHOWN = 4  # differences in a cell


@dataclass
class Campaign:
    """Runs cases in laboratories, one at a time in each.

    step: shows progress.
    keep: called with the rows so far after each case.
    """

    labs: Sequence[Lab]
    step: Step
    keep: Callable[[Sequence[Row]], object] = len
    _running: dict[str, float] = field(default_factory=dict, init=False)
    """Title of each running case, and when it began."""

    def run(self, cases: Sequence[Case]) -> list[Row]:
        """Run cases. Return a row for each."""
        self.prepare(cases)
        free: Queue[Lab] = Queue()
        for lab in self.labs:
            free.put(lab)
        began, finished = time.monotonic(), 0

        def run(number: int, case: Case) -> Row:
            lab = free.get()
            try:
                with self._shown(f"{number} of {len(cases)}: {case.fault}, {case.stage.name}"):
                    return self._try(lab, case)
            finally:
                free.put(lab)

        with ThreadPoolExecutor(len(self.labs)) as pool:
            try:
                running = [pool.submit(run, number, case) for number, case in enumerate(cases, 1)]
                for done in as_completed(running):
                    finished += 1
                    self.keep([case.result() for case in running if case.done()])
                    self._report(done.result(), finished, len(cases), time.monotonic() - began)
            except BaseException:
                for lab in self.labs:
                    lab.close()
                pool.shutdown(cancel_futures=True)
                raise
        return [done.result() for done in running]

    @contextmanager
    def _shown(self, title: str) -> Iterator[None]:
        """Show a case while it runs, and for how long it has."""
        self._running[title] = time.monotonic()
        self.step(title, important=True)
        self.step.follow(self._now_running)
        try:
            yield
        finally:
            del self._running[title]

    def _now_running(self) -> str:
        now = time.monotonic()
        return "; ".join(f"{title} ({now - began:.0f} s)" for title, began in list(self._running.items()))

    def _report(self, row: Row, number: int, count: int, seconds: float) -> None:
        result = "passed" if row.passed else f"FAILED: lost: {row.lost}; next run {row.next_run}"
        left = round(seconds / number * (count - number) / 60)
        self.step(
            f"{number} of {count} ended: {row.fault}, {row.stage}: {result} ({row.seconds:.0f} s; about {left} min left)",
            important=True,
        )
        self.step.follow(self._now_running)

    def prepare(self, cases: Sequence[Case]) -> None:
        """Run the stages undisturbed up to the last one that a case needs. Saved states are used again."""
        named = {stage for case in cases for stage in (case.first, case.stage, case.last)}
        wanted = [number for number, stage in enumerate(stages.ORDER) if stage in named]
        for stage in stages.ORDER[: max(wanted, default=-1) + 1]:
            if not self._reference_file(stage).exists():
                self._record(stage)

    def reference(self, stage: Stage) -> Reference:
        """Return the undisturbed run of a stage."""
        return Reference(**json.loads(self._reference_file(stage).read_text(encoding="utf-8")))

    def _record(self, stage: Stage) -> None:
        """Run a stage undisturbed, and save the state and what it holds. The root user needs no stack access."""
        self.step(f"preparing: undisturbed {stage.name}", important=True)
        lab, previous = self.labs[0], stages.before(stage)
        lab.restore(previous.name if previous else "")
        began, steps = time.monotonic(), 0
        if stage != stages.ACCESS:
            steps = lab.succeed(*stage.command).terraform_steps()
        elif lab.role:
            lab.succeed(*stage.command, as_root=True)
        found = Reference(round(time.monotonic() - began, 1), steps, inventory.take(lab.env))
        lab.save(stage.name)
        self._reference_file(stage).write_text(json.dumps(asdict(found)), encoding="utf-8")

    def _reference_file(self, stage: Stage) -> Path:
        return self.labs[0].saved(stage.name) / "reference.json"

    def _try(self, lab: Lab, case: Case) -> Row:
        began = time.monotonic()
        try:
            lost, next_run, message = self._outcome(lab, case)
        except Unexpected as error:
            lost, next_run, message = "unknown", "not run", str(error)
        except (OperatorError, ClientError, BotoCoreError, OSError) as error:
            lost, next_run, message = "unknown", "not run", f"the laboratory failed: {error}"
        return Row(case.fault, case.stage.name, lost, next_run, message, round(time.monotonic() - began, 1))

    def _outcome(self, lab: Lab, case: Case) -> tuple[str, str, str]:
        """Return what was lost, how the next run went, and the message of the disturbed command."""
        lab.restore(case.first.name if case.first else "")
        held = inventory.holdings(lab.env)
        message = case.disturb(lab, self.reference)
        case.repair(lab)
        lost = [] if case.removes else held.lost(inventory.holdings(lab.env))
        again = case.again(lab)
        if again.wait():
            return "; ".join(lost) or NOTHING, f"fails: {again.message}", message
        if case.last != stages.DOWN:
            lost += [f"{what} after the next run" for what in held.lost(inventory.holdings(lab.env))]
        lost += case.problems(lab, self.reference)
        more = [f"and {len(lost) - _SHOWN} more"] if len(lost) > _SHOWN else []
        return "; ".join(lost[:_SHOWN] + more) or NOTHING, SUCCEEDS, message
