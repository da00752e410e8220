"""Output for people goes to standard error; standard output is for JSON only."""

import itertools
import json
import threading
from datetime import datetime

import pytest

from ops import console
from ops.errors import OperatorError, Refused
from ops.outcome import Outcome


@pytest.fixture(autouse=True)
def fresh():
    """Make a new console for each test, as pytest replaces standard error."""
    console.console.cache_clear()
    yield
    console.console.cache_clear()


def test_emit_prints_json_on_request(capsys):
    console.emit({"a": 1}, False)
    assert capsys.readouterr().out == ""
    console.emit({"when": datetime(2026, 1, 2)}, True)
    assert json.loads(capsys.readouterr().out) == {"when": "2026-01-02 00:00:00"}


def test_a_step_reports_its_end_and_adds_a_stage(capsys):
    stages: list[console.Stage] = []
    with console.Step("data", stages) as step:
        step.note = "100 images"
    out, printed = capsys.readouterr()
    assert out == ""
    assert "✓ data" in printed
    assert "100 images" in printed
    assert [(s.name, s.note) for s in stages] == [("data", "100 images")]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Refused("no model"), Outcome.REFUSED), (OperatorError("no model"), Outcome.FAILED)],
)
def test_a_stage_that_an_error_ends_has_its_outcome_and_reason(error, outcome):
    stages: list[console.Stage] = []
    with pytest.raises(OperatorError), console.Step("deploy", stages):
        raise error
    assert [(s.name, s.outcome, s.reason) for s in stages] == [("deploy", outcome, "no model")]


def test_a_degraded_step_shows_every_reason_and_keeps_them(capsys):
    stages: list[console.Stage] = []
    with console.Step("tune", stages) as step:
        step.unchanged()
        assert step.ending == {"outcome": "unchanged", "reason": ""}
        step.degrade("one trial failed")
        step.degrade("the budget is missing")
        step.unchanged()
        assert step.ending == {
            "outcome": "degraded",
            "reason": "one trial failed; the budget is missing",
        }
    printed = capsys.readouterr().err
    assert "! tune" in printed and "tune: one trial failed" in printed
    assert stages[0].outcome is Outcome.DEGRADED


def test_a_bug_in_a_step_adds_no_stage(capsys):
    stages: list[console.Stage] = []
    with pytest.raises(ValueError, match="broken"), console.Step("data", stages):
        raise ValueError("broken")
    assert "✗ data" in capsys.readouterr().err
    assert stages == []


def test_in_a_log_a_step_prints_at_most_a_line_per_second(capsys):
    with console.Step("data") as step:
        for number in range(50):
            step(f"image {number}")
        step("a warning", important=True)
    printed = capsys.readouterr().err
    assert printed.count("image") <= 1
    assert "a warning" in printed


def test_a_log_shows_that_a_step_still_waits(capsys, monkeypatch):
    monkeypatch.setattr(console, "LOG_SECONDS", 0.01)
    shown = threading.Event()
    printed = console.Step._print

    def note(step, text):
        printed(step, text)
        if text.endswith(" s)"):
            shown.set()

    monkeypatch.setattr(console.Step, "_print", note)
    with console.Step("deploy") as step:
        step("waiting until the endpoint is stable")
        assert shown.wait(30)
    threads = [thread for thread in threading.enumerate() if "_show_seconds" in thread.name]
    assert not threads
    assert "waiting until the endpoint is stable (0 s)" in capsys.readouterr().err


def test_a_text_that_changes_by_itself_is_shown_until_the_next_text(capsys, monkeypatch):
    monkeypatch.setattr(console, "LOG_SECONDS", 0.01)
    numbers, third = itertools.count(1), threading.Event()

    def running() -> str:
        number = next(numbers)
        if number == 3:
            third.set()
        return f"case 1 ({number} s)"

    with console.Step("faults") as step:
        step("preparing")
        step.follow(running)
        assert third.wait(30)
        step("case 1 ended", important=True)
        asked = next(numbers)
    printed = capsys.readouterr().err
    assert "faults: case 1 (2 s)" in printed and "preparing (" not in printed
    assert next(numbers) - asked <= 2  # the clock may have been asking when the last text came


def test_texts_are_not_interpreted_as_markup(capsys):
    with console.Step("train") as step:
        step("[bold]epoch[/bold] [1/3]", important=True)
        step.note = "class a[b]"
    console.say("left out x[red].png")
    console.table("", ["class"], [["[/c]"]])
    printed = capsys.readouterr().err
    for text in ("[bold]epoch[/bold] [1/3]", "class a[b]", "x[red].png", "[/c]"):
        assert text in printed


def test_a_table_shows_every_cell(capsys):
    console.table("Trials", ["TrainingJobName", "FinalObjectiveValue"], [["job-1", 0.5], ["job-2", None]])
    printed = capsys.readouterr().err
    for text in ("Trials", "TrainingJobName", "FinalObjectiveValue", "job-1", "0.5", "job-2"):
        assert text in printed
    assert "None" not in printed


def test_a_table_wider_than_the_terminal_is_printed_as_lists(capsys, monkeypatch):
    columns = ["TrainingJobName", "TrainingJobStatus", "FinalObjectiveValue", "TrainingElapsedTimeSeconds"]
    rows = [
        ["image-classifier-local-1", "Completed", 0.5, 7],
        ["image-classifier-local-2", "Failed", None, 8],
    ]
    for width, headings in ((45, 2), (80, 0)):  # a list has the headings in every row
        monkeypatch.setattr(console.console(), "width", width)
        console.table("Trials", columns, rows)
        printed = capsys.readouterr().err
        assert printed.count("TrainingElapsedTime") == headings
        assert ("┏" in printed) == (headings == 0)
        assert max(map(len, printed.splitlines())) <= width
        assert "Failed" in printed
