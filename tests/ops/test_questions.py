"""Questions are asked at the same time, and a late one is named instead of waited for."""

import threading

from ops.questions import Answer, ask


def test_every_question_has_its_answer():
    def fail():
        raise ValueError("no")

    found = ask({"a": lambda: 1, "b": fail})
    assert found["a"] == Answer(1)
    assert isinstance(found["b"].error, ValueError) and not found["b"].late
    assert ask({}) == {}


def test_questions_are_asked_at_the_same_time():
    barrier = threading.Barrier(2)
    found = ask({name: lambda: barrier.wait(30) for name in "ab"})
    assert not any(answer.late or answer.error for answer in found.values())


def test_a_late_question_is_shown_and_given_up(monkeypatch):
    monkeypatch.setattr("ops.questions.SHOW_SECONDS", 0.01)
    release, shown = threading.Event(), []
    found = ask({"slow": lambda: release.wait(60), "fast": lambda: 2}, shown.append, seconds=0.5)
    release.set()
    assert (found["fast"].value, found["slow"]) == (2, Answer(late=True))
    assert shown and shown[-1].startswith("waiting for slow (") and shown[-1].endswith("s of at most 0 s)")
