"""`plan --save` and `apply --plan`: what is told, and the order in which the plans are applied."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from cli import saved_plans
from ops import console, settings
from ops.errors import OperatorError
from ops.terraform import saved_plans as files
from pipeline import stages

FOLDER = Path("plan")


@pytest.fixture
def told(capsys):
    console.console.cache_clear()
    yield lambda: capsys.readouterr().err
    console.console.cache_clear()


@pytest.fixture
def applied(monkeypatch) -> list:
    """The stages that have run, with what serving was given."""
    ran = []
    monkeypatch.setattr(stages, "access", lambda settings, saved: ran.append("access") or ["a"])
    monkeypatch.setattr(stages, "foundation", lambda settings, saved: ran.append("foundation") or ["b"])
    monkeypatch.setattr(
        stages,
        "deploy",
        lambda settings, model, endpoint, saved: ran.append((model, endpoint)) or {"changes": ["c"]},
    )
    return ran


def kept(monkeypatch, *names: str, **not_planned: str):
    manifest = SimpleNamespace(
        stacks=dict.fromkeys(names), not_planned=not_planned, model=7, endpoint="multi"
    )
    monkeypatch.setattr(files, "load", lambda folder, settings: SimpleNamespace(manifest=manifest))
    monkeypatch.setattr(files, "save", lambda *_: manifest)


def test_the_foundation_comes_before_what_it_carries(monkeypatch, applied):
    kept(monkeypatch, "serving", "foundation")
    changed = saved_plans.apply_saved(settings.load("prod"), FOLDER, chosen=False)
    assert applied == ["foundation", (7, "multi")]
    assert changed == {"foundation": ["b"], "serving": ["c"]}


def test_what_was_not_planned_is_said_and_not_applied(monkeypatch, applied, told):
    kept(monkeypatch, "foundation", serving="it is too early")
    assert saved_plans.apply_saved(settings.load("prod"), FOLDER, chosen=False) == {"foundation": ["b"]}
    assert "serving is not applied: it is too early." in told()
    saved_plans.save_plans(settings.load("prod"), FOLDER, {}, None)
    said = told()
    assert "serving is not saved: it is too early." in said
    assert "Saved: ./inv apply --env prod --plan plan does exactly this." in said


def test_a_saved_plan_leaves_no_choice(monkeypatch, applied):
    with pytest.raises(OperatorError, match=r"leave --stack, --model and --endpoint to \./inv plan"):
        saved_plans.apply_saved(settings.load("prod"), FOLDER, chosen=True)
    assert applied == []
