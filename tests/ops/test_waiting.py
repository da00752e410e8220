"""Polling: pauses grow, and waits end with an error."""

import ast
from pathlib import Path

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


def test_a_pause_ends_with_an_error_after_its_limit(fast_clock):
    pause = Pause(limit=60, on_timeout=lambda: "the job is still running: stop it")
    with pytest.raises(OperatorError, match="stop it"):
        while True:
            pause()
    assert 60 < sum(fast_clock) < 65


# Loops whose rounds are counted or limited in another way.
LIMITED = {
    "ml/jobs/job_inputs.py": "compares with its patience",
    "ml/jobs/launchers/ec2.py": "so many launches; the other one has a limit",
    "ops/inventory/removal.py": "compares with LIMIT_SECONDS",
    "ops/terraform/locks.py": "inside wait_for",
    "ops/waiting.py": "passes the limit on",
}


def unlimited(text: str) -> int:
    """Return the number of pauses without a limit in a source."""
    return sum(
        isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) == "Pause"
        and "limit" not in {keyword.arg for keyword in node.keywords}
        for node in ast.walk(ast.parse(text))
    )


def test_every_wait_is_bounded():
    root = Path(__file__).parents[2]
    sources = [path for name in ("cli", "pipeline", "ml/jobs", "ops") for path in (root / name).rglob("*.py")]
    found = {str(path.relative_to(root)) for path in sources if unlimited(path.read_text())}
    assert found <= LIMITED.keys()
    assert unlimited("pause = waiting.Pause(1)") == 1
    assert unlimited("pause = Pause(limit=3, on_timeout=f)") == 0
    waiters = [path for path in sources if "get_waiter(" in path.read_text()]
    assert waiters == []  # botocore's waiters are silent, and their errors say nothing to do
