"""`plan --save` and `apply --plan`: what is printed, and the order in which plans are applied."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ops import console
from ops.terraform import saved_plans as files
from pipeline import deploy, foundation, saved_plans

FOLDER = Path("plan")


@pytest.fixture
def printed(capsys):
    console.console.cache_clear()
    yield lambda: capsys.readouterr().err
    console.console.cache_clear()


@pytest.fixture
def applied(monkeypatch) -> list:
    """The stages that have run, with the model and endpoint of serving."""
    ran = []
    monkeypatch.setattr(foundation, "apply_access", lambda env, stages, saved: ran.append("access") or ["a"])
    monkeypatch.setattr(foundation, "apply", lambda env, stages, saved: ran.append("foundation") or ["b"])

    def deployed(env, model, endpoint, *, stages, saved):
        ran.append((model, endpoint))
        return {"changes": ["c"]}

    monkeypatch.setattr(deploy, "run", deployed)
    return ran


def kept(monkeypatch, *names: str, **not_planned: str):
    manifest = SimpleNamespace(
        stacks=dict.fromkeys(names), not_planned=not_planned, model=7, endpoint="multi"
    )
    monkeypatch.setattr(files, "load", lambda folder, settings: SimpleNamespace(manifest=manifest))
    monkeypatch.setattr(files, "save", lambda *_: manifest)


def test_the_foundation_is_applied_before_serving(monkeypatch, applied, prod):
    kept(monkeypatch, "serving", "foundation")
    changed = saved_plans.apply(prod, FOLDER, [])
    assert applied == ["foundation", (7, "multi")]
    assert changed == {"foundation": ["b"], "serving": ["c"]}


def test_a_stack_that_was_not_planned_is_reported_and_not_applied(monkeypatch, applied, printed, prod):
    kept(monkeypatch, "foundation", serving="it is too early")
    assert saved_plans.apply(prod, FOLDER, []) == {"foundation": ["b"]}
    assert "serving is not applied: it is too early." in printed()
    saved_plans.save(prod, FOLDER, {}, None)
    text = printed()
    assert "serving is not saved: it is too early." in text
    assert "Saved. ./inv apply --env prod --plan plan applies exactly these changes." in text
