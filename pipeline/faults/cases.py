"""Every case of a campaign."""

from __future__ import annotations

import re

from ops.errors import OperatorError
from pipeline.faults import concurrency, interruptions, kills, limits, models, network, records, state
from pipeline.faults.case import Case


def choose(seeds: int, only: str | None = None) -> list[Case]:
    """Return the cases: all families, and as many random kills as `seeds`.

    only: regular expression that "fault, stage" must match, in any case. Raises OperatorError if none does.
    """
    families = (interruptions, network, state, limits, records, models, concurrency)
    found = [*kills.cases(seeds), *(case for family in families for case in family.cases())]
    try:
        wanted = re.compile(only or "", re.IGNORECASE)
    except re.error as error:
        raise OperatorError(f"--only {only!r} is not a regular expression: {error}.") from error
    chosen = [case for case in found if wanted.search(f"{case.fault}, {case.stage.name}")]
    if not chosen:
        names = ", ".join(dict.fromkeys(case.fault for case in found))
        raise OperatorError(f"--only {only!r} matches no fault or stage: choose from {names}.")
    return chosen
