"""The table of a campaign: on the terminal, and in a document between its markers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from ops.errors import OperatorError
from pipeline.faults.case import Row

_LENGTH = 400  # of a message in a cell
_VARIABLE = (
    (re.compile(r"(?:/[\w.-]+)+/(?=[\w.-]*)"), "…/"),
    (re.compile(r"https?://\S+"), "…"),
    (re.compile(r"\bprocess \d+"), "process …"),
    (re.compile(r"\b[\w-]+@[\w.-]+"), "user@host"),
    (re.compile(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \([^)]*\)"), "since …"),
    (re.compile(r"RequestID: [\w-]+"), "RequestID: …"),
)
COLUMNS = ("fault", "stage", "lost", "next run", "message")
_HEAD_LINES = 4  # of the text between the markers: the rest of a line, an empty line, heading, rule
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"


def merge(rows: Iterable[Row]) -> list[Row]:
    """Return the rows with equal cells as one, whose stages are all of theirs, with how often each was run."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.fault, row.lost, row.next_run), []).append(row)
    return [
        Row(fault, _stages(group), lost, next_run, _message(group), sum(row.seconds for row in group))
        for (fault, lost, next_run), group in groups.items()
    ]


def cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Return the cells of the rows."""
    return [(row.fault, row.stage, row.lost, row.next_run, row.message) for row in rows]


def write(rows: Sequence[Row], document: Path) -> Path:
    """Put the table between the markers of a document; rows of other faults stay. Raises OperatorError without markers."""
    text = document.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise OperatorError(f"{document} has no lines {BEGIN} and {END}: add them where the table belongs.")
    head, rest = text.split(BEGIN, 1)
    table, tail = rest.split(END, 1)
    new = [f"| {' | '.join(_escape(cell) for cell in row)} |" for row in cells(rows)]
    replaced = {_escape(row.fault) for row in rows}
    kept = [
        line
        for line in table.splitlines()[_HEAD_LINES:]
        if line.startswith("| ") and line.split(" | ")[0].removeprefix("| ") not in replaced
    ]
    heading = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    document.write_text(
        "\n".join([f"{head}{BEGIN}\n", *heading, *kept, *new, f"\n{END}{tail}"]), encoding="utf-8"
    )
    return document


def _stages(rows: list[Row]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.stage] = counts.get(row.stage, 0) + 1
    return ", ".join(f"{stage} ({count} times)" if count > 1 else stage for stage, count in counts.items())


def _message(rows: list[Row]) -> str:
    """Return the first message, without what differs from run to run."""
    text = rows[0].message
    for pattern, replacement in _VARIABLE:
        text = pattern.sub(replacement, text)
    return text if len(text) <= _LENGTH else text[: text.rindex(" ", 0, _LENGTH)] + " …"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
