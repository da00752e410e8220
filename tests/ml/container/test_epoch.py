"""One epoch: what stops it, and how its progress is printed."""

from types import SimpleNamespace

import pytest
import torch

import epoch
from epoch import _Guard
from process_group import ProcessGroup
from stop import TrainingStopped

CPU = torch.device("cpu")


def guard(lines: list[str], received: bool = False, steps: int = 30, interval: int = 1) -> _Guard:
    trainer = SimpleNamespace(
        group=ProcessGroup(0, 1, CPU), stop=SimpleNamespace(received=received), log=lines.append
    )
    found = _Guard(2, steps, trainer)
    found._interval = interval
    return found


@pytest.mark.parametrize("interval", [1, 20])
@pytest.mark.parametrize("bad", [1, 7, 20, 30])
def test_the_first_step_with_an_infinite_loss_is_named(interval, bad):
    found = guard([], interval=interval)
    with pytest.raises(
        FloatingPointError, match=f"the loss of step {bad} of epoch 2 is not finite; lower --learn"
    ):
        for step in range(1, 31):
            found.check(torch.tensor(float("nan") if step >= bad else 1.0))
        found.finish()


def test_sigterm_stops_the_epoch():
    with pytest.raises(TrainingStopped):
        guard([], received=True).check(torch.tensor(1.0))


def test_progress_has_the_time_left(monkeypatch):
    lines: list[str] = []
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(epoch.time, "monotonic", lambda: next(clock))
    found = guard(lines, steps=6)
    for _ in range(6):
        found.check(torch.tensor(1.0))
    assert lines == ["epoch 2: step 3 of 6, 12 s left"]
