"""Polling: pauses grow, and waits end with an error."""

import pytest

from ops.errors import OperatorError
from ops.waiting import Pause, wait_for


def test_pauses_grow_with_the_wait(fast_clock):
    pause = Pause()
    for _ in range(500):
        pause()
    assert fast_clock[0] == 0.5
    assert fast_clock == sorted(fast_clock)
    assert fast_clock[-1] == 10.0


def test_a_wait_returns_what_the_poll_finds(fast_clock):
    answers, waits = iter([None, None, "found"]), []
    found = wait_for(
        lambda: next(answers),
        seconds=60,
        on_timeout=lambda: "never",
        on_wait=lambda: waits.append(1),
        shortest=2,
    )
    assert found == "found"
    assert (fast_clock, len(waits)) == ([2, 2], 2)


def test_falsy_results_end_the_wait(fast_clock):
    assert wait_for(lambda: 0, seconds=1, on_timeout=lambda: "never") == 0


def test_a_wait_ends_with_an_error_after_its_limit(fast_clock):
    with pytest.raises(OperatorError, match=r"^the job is still running$"):
        wait_for(lambda: None, seconds=60, on_timeout=lambda: "the job is still running")
    assert 60 < sum(fast_clock) < 65
