"""Output for people goes to standard error; standard output carries JSON alone."""

import json
from datetime import datetime

import pytest

from ops import console


@pytest.fixture(autouse=True)
def fresh():
    """The console binds standard error when it is first used: pytest changes that for every test."""
    console.console.cache_clear()
    yield
    console.console.cache_clear()


def test_emit_prints_json_only_if_asked(capsys):
    console.emit({"a": 1}, False)
    assert capsys.readouterr().out == ""
    console.emit({"when": datetime(2026, 1, 2)}, True)
    assert json.loads(capsys.readouterr().out) == {"when": "2026-01-02 00:00:00"}


def test_a_step_tells_its_end_and_its_stage(capsys):
    stages: list[console.Stage] = []
    with console.Step("data", stages) as step:
        step.note = "100 pictures"
    out, told = capsys.readouterr()
    assert out == ""
    assert "✓ data" in told
    assert "100 pictures" in told
    assert [(s.name, s.note) for s in stages] == [("data", "100 pictures")]


def test_a_failed_step_is_no_stage(capsys):
    stages: list[console.Stage] = []
    with pytest.raises(ValueError, match="broken"), console.Step("data", stages):
        raise ValueError("broken")
    assert "✗ data" in capsys.readouterr().err
    assert stages == []


def test_in_a_log_a_step_tells_no_more_than_a_line_a_second(capsys):
    with console.Step("data") as step:
        for number in range(50):
            step(f"picture {number}")
        step("a warning", important=True)
    told = capsys.readouterr().err
    assert told.count("picture") <= 1
    assert "a warning" in told


def test_what_others_wrote_is_not_markup(capsys):
    with console.Step("train") as step:
        step("[bold]epoch[/bold] [1/3]", important=True)
        step.note = "class a[b]"
    console.say("left out x[red].png")
    console.table("", ["class"], [["[/c]"]])
    told = capsys.readouterr().err
    for text in ("[bold]epoch[/bold] [1/3]", "class a[b]", "x[red].png", "[/c]"):
        assert text in told


def test_a_table_shows_every_cell(capsys):
    console.table("Trials", ["TrainingJobName", "FinalObjectiveValue"], [["job-1", 0.5], ["job-2", None]])
    told = capsys.readouterr().err
    for text in ("Trials", "TrainingJobName", "FinalObjectiveValue", "job-1", "0.5", "job-2"):
        assert text in told
    assert "None" not in told


def test_a_table_too_wide_for_the_terminal_is_a_list_for_each_row(capsys, monkeypatch):
    columns = ["TrainingJobName", "TrainingJobStatus", "FinalObjectiveValue", "TrainingElapsedTimeSeconds"]
    rows = [
        ["image-classifier-local-1", "Completed", 0.5, 7],
        ["image-classifier-local-2", "Failed", None, 8],
    ]
    for width, headings in ((45, 2), (80, 0)):  # a list names its columns in every row, unbroken
        monkeypatch.setattr(console.console(), "width", width)
        console.table("Trials", columns, rows)
        told = capsys.readouterr().err
        assert told.count("TrainingElapsedTime") == headings
        assert ("┏" in told) == (headings == 0)
        assert max(map(len, told.splitlines())) <= width
        assert "Failed" in told
