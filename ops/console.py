"""Output for people on standard error: steps with live progress, tables, a summary.

Standard output is for `--json` only.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from ops.errors import OperatorError
from ops.outcome import Outcome, of_error, worst

if TYPE_CHECKING:
    from rich.console import Console

LOG_WIDTH = 200  # columns, without a terminal
LOG_SECONDS = 30.0  # after which a log shows that a step still runs, and then as often
TERMINAL_SECONDS = 1.0  # the same, for a terminal


@cache
def console() -> Console:
    """Return the rich console of standard error."""
    from rich.console import Console

    wide = None if sys.stderr.isatty() else LOG_WIDTH
    return Console(file=sys.stderr, highlight=False, width=wide)


def say(message: str = "", *, markup: bool = False) -> None:
    """Print a line. markup: interpret rich markup; off by default, as names of files and classes may look like it."""
    console().print(message, soft_wrap=True, markup=markup)


def emit(result: object, as_json: bool) -> None:
    """Print a task's result as JSON on standard output if `--json` is given."""
    if as_json:
        print(json.dumps(result, indent=2, sort_keys=True, default=str))


class Progress(Protocol):
    """Shows a short text while a command runs. important: as of `Step`."""

    def __call__(self, text: str, important: bool = False) -> None: ...


def quiet(text: str, important: bool = False) -> None:
    """Show no progress."""


@dataclass
class Stage:
    """A stage of the pipeline in the summary.

    seconds: wall time.
    note: result, or why nothing was done.
    reason: why it is degraded, refused, failed or not run; empty for the other outcomes.
    """

    name: str
    seconds: float = 0.0
    note: str = ""
    outcome: Outcome = Outcome.DONE
    reason: str = ""


def ending(stages: Iterable[Stage]) -> dict[str, str]:
    """Return outcome and reason of a command from its stages, for --json: of the stage that ended it, if one did."""
    found = list(stages)
    ended = worst(stage.outcome for stage in found)
    same = [stage for stage in found if stage.outcome is ended and stage.reason]
    if ended is Outcome.DEGRADED:
        reason = "; ".join(f"{stage.name}: {stage.reason}" for stage in same)
    else:
        reason = same[0].reason if same else ""
    return {"outcome": str(ended), "reason": reason}


@dataclass
class Step:
    """A running stage: `with Step("data") as step: step("uploading 3 of 100"); step.note = "100 images"`.

    On a terminal each text replaces the one before. In a log each new text is a line, at most one per second unless it
    is `important`. A text that stays for long is shown with its seconds.

    stages: gets the stage once it has ended, also by an OperatorError.
    outcome, reason: how it ended; `unchanged` and `degrade` set them.
    """

    name: str
    stages: list[Stage] | None = None
    note: str = ""
    outcome: Outcome = field(default=Outcome.DONE, init=False)
    reason: str = field(default="", init=False)
    _began: float = field(default=0.0, init=False)
    _last: tuple[float, str] = field(default=(0.0, ""), init=False)
    _current: tuple[float, str] = field(default=(0.0, ""), init=False)
    _follows: Callable[[], str] | None = field(default=None, init=False)
    _ended: threading.Event = field(default_factory=threading.Event, init=False)

    def __enter__(self) -> Step:
        self._began = time.monotonic()
        self._live = console().status("", spinner="dots") if console().is_terminal else None
        if self._live:
            self._live.start()
        self("…")
        self._clock = threading.Thread(target=self._show_seconds, daemon=True)
        self._clock.start()
        return self

    def __call__(self, text: str, important: bool = False) -> None:
        self._follows = None
        if text != self._current[1]:
            self._current = (time.monotonic(), text)
            self._show_live(text)
        if self._live is None or important:
            now = time.monotonic()
            if text != self._last[1] and (important or now - self._last[0] >= 1):
                self._last = (now, text)
                self._print(text)

    def follow(self, text: Callable[[], str]) -> None:
        """Show what a function returns, until the next text: for a text with times in it. Another thread calls it."""
        self._follows = text

    def _print(self, text: str) -> None:
        from rich.markup import escape

        console().print(f"  [dim]{self.name}: {escape(text)}[/]", soft_wrap=True)

    def _show_live(self, text: str) -> None:
        from rich.markup import escape

        if self._live:
            self._live.update(f"[bold]{self.name}[/] [dim]{escape(text)}[/]")

    def _show_seconds(self) -> None:
        """Show the text that is followed, or for how long the current one has not changed, until the step ends."""
        while not self._ended.wait(TERMINAL_SECONDS if self._live else LOG_SECONDS):
            since, text = self._current
            seconds = time.monotonic() - since
            with contextlib.suppress(OSError):  # the terminal was closed
                if self._follows:
                    (self._show_live if self._live else self._print)(self._follows() or text)
                elif self._live and seconds >= 3:
                    self._show_live(f"{text} ({seconds:.0f} s)")
                elif self._live is None and seconds >= LOG_SECONDS:
                    self._print(f"{text} ({seconds:.0f} s)")

    def remark(self, text: str) -> None:
        """Show a text that stays visible."""
        self(text, important=True)

    def unchanged(self) -> None:
        """Report that there was nothing to do, unless the stage is degraded."""
        if self.outcome is Outcome.DONE:
            self.outcome = Outcome.UNCHANGED

    def degrade(self, reason: str) -> None:
        """Report, at once and as the outcome, that something is missing or worse than asked for. reason: a clause."""
        self.remark(reason)
        self.outcome = Outcome.DEGRADED
        self.reason = f"{self.reason}; {reason}" if self.reason else reason

    @property
    def ending(self) -> dict[str, str]:
        """Outcome and reason, for --json."""
        return {"outcome": str(self.outcome), "reason": self.reason}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from rich.markup import escape

        self._ended.set()
        self._clock.join(1)
        if self._live:
            self._live.stop()
        seconds = time.monotonic() - self._began
        mark = "[red]✗[/]" if error else "[yellow]![/]" if self.outcome is Outcome.DEGRADED else "[green]✓[/]"
        note = "" if error else f"  {escape(self.note)}"
        console().print(f"{mark} [bold]{self.name:<12}[/] {seconds:6.1f} s{note}", soft_wrap=True)
        if isinstance(error, OperatorError):
            error.in_stage = True
            self.outcome, self.reason = of_error(error), str(error)
        if self.stages is not None and (error is None or isinstance(error, OperatorError)):
            self.stages.append(Stage(self.name, seconds, self.note, self.outcome, self.reason))


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a table.

    On a narrow terminal, headings break between their words. On an even narrower one, each row is printed as a list.
    """
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
