"""The learning rate over the steps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from schedule import schedule, warmup_cosine


@given(steps=st.integers(1, 500), warmup=st.floats(0, 0.9))
def test_the_rate_rises_to_its_peak_and_falls_to_almost_zero(steps, warmup):
    factors = [warmup_cosine(steps, warmup, step) for step in range(steps)]
    peak = factors.index(max(factors))
    assert max(factors) == pytest.approx(1.0)
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert peak == max(0, min(round(steps * warmup), steps - 1) - 1)
    assert warmup_cosine(steps, warmup, steps) == pytest.approx(0.0)


def test_groups_keep_the_ratio_of_their_rates():
    layers = [torch.nn.Linear(2, 2) for _ in range(2)]
    groups = [{"params": layer.parameters(), "lr": lr} for layer, lr in zip(layers, (0.1, 0.01), strict=True)]
    optimizer = torch.optim.SGD(groups)
    scheduler = schedule(optimizer, steps=10, warmup=0.2)
    for _ in range(10):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(10 * optimizer.param_groups[1]["lr"])
        optimizer.step()
        scheduler.step()
