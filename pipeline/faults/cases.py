"""Every case of a campaign."""

from __future__ import annotations

from ops.errors import OperatorError
from pipeline.faults import concurrency, interruptions, kills, limits, models, network, records, state
from pipeline.faults.case import Case


def choose(seeds: int, only: str | None = None) -> list[Case]:
    """Return the cases: all families, and as many random kills as `seeds`.

    only: text that the fault or the stage contains. Raises OperatorError if none does.
    """
    families = (interruptions, network, state, limits, records, models, concurrency)
    found = [*kills.cases(seeds), *(case for family in families for case in family.cases())]
    chosen = [
        case for case in found if only is None or only.lower() in f"{case.fault}, {case.stage.name}".lower()
    ]
    if not chosen:
        names = ", ".join(dict.fromkeys(case.fault for case in found))
        raise OperatorError(f"No fault or stage contains {only!r}: choose a part of {names}.")
    return chosen
