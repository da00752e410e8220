"""The task that breaks every stage and checks the next run: `./inv faults`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict

from invoke.context import Context

from cli import embedded
from cli.fault_account import FaultAccount
from cli.task import JSON, Reported, operator_task
from ops import console, settings
from ops.console import Step, emit
from ops.paths import ROOT, WORK

ENVIRONMENT = "faults"
LINKED = ("embedded_aws", ".venv")
EPOCHS = 5  # enough for an accuracy above the minimum


@operator_task(
    help={
        **JSON,
        "seeds": "number of random kills of Terraform, of AWS and of both",
        "only": "only faults and stages that match this regular expression, such as 'ctrl-c|down'",
        "parallel": "how many cases run at the same time, each on an embedded AWS of its own",
        "write": "write the table into docs/operations.md; rows of faults that were not run stay",
    }
)
def faults(
    c: Context,
    seeds: int = 4,
    only: str | None = None,
    parallel: int = 2,
    write: bool = False,
    json: bool = False,
) -> None:
    """Break every stage on an embedded AWS of its own, run it again, and print what was lost. Takes an hour."""
    from pipeline.faults import cases, table
    from pipeline.faults.campaign import Campaign
    from pipeline.faults.case import Row
    from pipeline.faults.lab import Lab, states_folder

    embedded.isolate()
    chosen = cases.choose(seeds, only)
    text = _settings_file()
    found = settings.parse(text, ENVIRONMENT, "environments/local.toml")
    folder = WORK / "faults"
    states = states_folder(folder / "states", text)

    def keep(rows: Sequence[Row]) -> None:
        table.write(table.merge(rows), ROOT / "docs" / "operations.md")

    with Step("faults") as step, ExitStack() as stack:
        labs = [
            stack.enter_context(
                Lab(part, states, FaultAccount(part / "aws", found.region), found, text, LINKED)
            )
            for part in (folder / str(number) for number in range(max(1, parallel)))
        ]
        rows = Campaign(labs, step, keep if write else len).run(chosen)
        step.note = f"{sum(row.passed for row in rows)} of {len(rows)} cases passed"
    shown = table.merge(rows)
    console.table("Faults", table.COLUMNS, table.cells(shown))
    emit([asdict(row) for row in rows], json)
    if failed := [row for row in rows if not row.passed]:
        raise Reported(
            f"{len(failed)} of {len(rows)} cases lost something or could not be run again: see the table."
        )


def _settings_file() -> str:
    """Return the local environment as one on AWS: nothing is started, asked or removed for it implicitly."""
    text = (ROOT / "environments" / "local.toml").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^embedded_aws = true\n", "", text)
    return re.sub(r"(?m)^epochs = 12$", f"epochs = {EPOCHS}", text)
