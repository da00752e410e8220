"""Output for people: steps with live progress, tables, a closing summary. All on standard error.

Standard output belongs to `--json`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

LOG_WIDTH = 200  # columns of a table where there is no terminal


@cache
def console():
    """The one rich console, bound to the real standard error."""
    from rich.console import Console

    wide = None if sys.stderr.isatty() else LOG_WIDTH
    return Console(file=sys.stderr, highlight=False, width=wide)


def say(message: str = "", *, markup: bool = False) -> None:
    """A line for people. markup: whether it holds rich markup; names of files and classes may look like it."""
    console().print(message, soft_wrap=True, markup=markup)


def emit(result: object, as_json: bool) -> None:
    """A task's result as JSON on standard output, if the operator asked for it."""
    if as_json:
        print(json.dumps(result, indent=2, sort_keys=True, default=str))


@dataclass
class Stage:
    """A stage of the pipeline in the summary. seconds: wall time. note: what it made, or why it did nothing."""

    name: str
    seconds: float = 0.0
    note: str = ""


@dataclass
class Step:
    """A stage under way: `with Step("data") as step: step("uploading 3 of 100"); step.note = "100 pictures"`.

    On a terminal the latest text replaces the one before; elsewhere (a log) every new text is a line, at most one
    a second unless it is `important`.
    """

    name: str
    stages: list[Stage] | None = None
    note: str = ""
    _began: float = field(default=0.0, init=False)
    _last: tuple[float, str] = field(default=(0.0, ""), init=False)

    def __enter__(self) -> Step:
        self._began = time.monotonic()
        self._live = console().status("", spinner="dots") if console().is_terminal else None
        if self._live:
            self._live.start()
        self("…")
        return self

    def __call__(self, text: str, important: bool = False) -> None:
        from rich.markup import escape

        if self._live:
            self._live.update(f"[bold]{self.name}[/] [dim]{escape(text)}[/]")
        if self._live is None or important:
            now = time.monotonic()
            if text != self._last[1] and (important or now - self._last[0] >= 1):
                self._last = (now, text)
                console().print(f"  [dim]{self.name}: {escape(text)}[/]", soft_wrap=True)

    def __exit__(self, kind, error, trace) -> None:
        from rich.markup import escape

        if self._live:
            self._live.stop()
        seconds = time.monotonic() - self._began
        if error is None:
            console().print(
                f"[green]✓[/] [bold]{self.name:<12}[/] {seconds:6.1f} s  {escape(self.note)}", soft_wrap=True
            )
            if self.stages is not None:
                self.stages.append(Stage(self.name, seconds, self.note))
        else:
            console().print(f"[red]✗[/] [bold]{self.name:<12}[/] {seconds:6.1f} s", soft_wrap=True)


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """A table as wide as it needs. Where the terminal is narrower, headings break between their words, and where
    that does not do, every row is a list of its own."""
    from rich.markup import escape
    from rich.table import Table

    columns = list(columns)
    cells = [["" if cell is None else escape(str(cell)) for cell in row] for row in rows]
    words = [re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[_-])", "\n", column) for column in columns]
    widest = sum(max(map(len, heading.split("\n"))) + 3 for heading in words) + 1
    if widest > console().width:
        say(title)
        for row in cells:
            record = Table(show_header=False, box=None, padding=(0, 2))
            record.add_column(no_wrap=True)
            record.add_column(overflow="fold")
            for column, cell in zip(columns, row, strict=True):
                record.add_row(column, cell)
            console().print(record)
            say()
        return
    shown = Table(title=title, title_justify="left", header_style="bold", title_style="bold")
    for heading in words if console().width < 150 else columns:
        shown.add_column(heading, overflow="fold")
    for row in cells:
        shown.add_row(*row)
    console().print(shown)
