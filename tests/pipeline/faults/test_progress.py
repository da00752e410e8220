"""A campaign shows which cases run, and for how long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

from pipeline.faults import campaign
from pipeline.faults.campaign import Campaign
from pipeline.faults.case import NOTHING, SUCCEEDS
from pipeline.faults.stages import DOWN, FOUNDATION


class Step:
    """Keeps the texts, and what is followed."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.shown: Callable[[], str] = str

    def __call__(self, text: str, important: bool = False) -> None:
        self.texts.append(text)

    def follow(self, text: Callable[[], str]) -> None:
        self.shown = text


def test_the_running_cases_are_shown_with_number_name_and_time(monkeypatch):
    step, both, seen = Step(), threading.Barrier(2, timeout=30), []

    def outcome(self, lab, case) -> tuple[str, str, str]:
        both.wait()
        seen.append(step.shown())
        both.wait()
        return NOTHING, SUCCEEDS, ""

    monkeypatch.setattr(Campaign, "prepare", lambda self, cases: step("preparing: undisturbed foundation"))
    monkeypatch.setattr(Campaign, "_outcome", outcome)
    monkeypatch.setattr(campaign, "time", SimpleNamespace(monotonic=lambda: 7.0))
    cases = [SimpleNamespace(fault="kill -9 of AWS", stage=stage) for stage in (FOUNDATION, DOWN)]
    rows = Campaign([object(), object()], step).run(cases)
    assert [row.stage for row in rows] == ["foundation", "down"]
    titles = {"1 of 2: kill -9 of AWS, foundation", "2 of 2: kill -9 of AWS, down"}
    assert titles <= set(step.texts)
    assert all(set(text.split("; ")) == {f"{title} (0 s)" for title in titles} for text in seen)
    assert step.shown() == ""
    assert any(text.startswith("2 of 2 ended: kill -9 of AWS") for text in step.texts)
