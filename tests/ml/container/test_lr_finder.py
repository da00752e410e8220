"""The learning rate finder on losses whose best rate is known, and on a small network."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lr_finder import HIGHEST, LOWEST, STEPS, find, suggest


def test_the_rates_grow_exponentially_from_the_lowest_to_the_highest():
    curve = find(lambda rate: 1.0)
    assert len(curve.rates) == STEPS
    assert curve.rates[0] == pytest.approx(LOWEST)
    assert curve.rates[-1] == pytest.approx(HIGHEST)
    ratios = [second / first for first, second in zip(curve.rates, curve.rates[1:], strict=False)]
    assert max(ratios) == pytest.approx(min(ratios))


@pytest.mark.parametrize("best", [1e-4, 1e-3, 1e-2, 0.1])
def test_the_suggestion_is_where_the_loss_falls(best):
    """The loss falls by a sigmoid around `best` and explodes at 30 times it."""

    def step(rate: float) -> float:
        return 2.5 / (1 + rate / best) + (rate / (30 * best)) ** 4

    assert best / 10 < find(step).suggested < best * 10


@pytest.mark.parametrize("end", [math.nan, math.inf, 1e9])
def test_it_stops_where_the_loss_diverges(end):
    curve = find(lambda rate: 1.0 if rate < 0.01 else end)
    assert 0.001 < curve.rates[-1] < 0.02
    assert all(map(math.isfinite, curve.losses))


def test_a_loss_that_never_falls_gives_no_suggestion():
    assert find(lambda rate: 1 + rate).suggested is None
    assert suggest([], []) is None
    assert find(lambda rate: math.nan).suggested is None


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=30))
def test_the_suggestion_is_one_of_the_rates_before_the_lowest_loss_s_end(losses):
    rates = [10.0**-number for number in range(len(losses), 0, -1)]
    found = suggest(rates, losses)
    assert found is None or found in rates


def test_on_a_network_the_suggested_rate_trains_it():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(512, 20, generator=generator)
    labels = (inputs[:, :10].sum(dim=1) > 0).long()

    def network() -> torch.nn.Module:
        torch.manual_seed(1)
        return torch.nn.Sequential(torch.nn.Linear(20, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))

    def stepper(model):
        optimizer = torch.optim.AdamW(model.parameters(), 1.0)
        turn = iter(range(10_000))

        def step(rate: float) -> float:
            optimizer.param_groups[0]["lr"] = rate
            part = slice(next(turn) % 8 * 64, None)
            loss = torch.nn.functional.cross_entropy(model(inputs[part][:64]), labels[part][:64])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step

    suggested = find(stepper(network())).suggested
    final = {}
    for rate in (suggested, suggested / 100, min(HIGHEST, suggested * 300)):
        step = stepper(network())
        final[rate] = [step(rate) for _ in range(60)][-1]
    assert final[suggested] == min(final.values())
    assert final[suggested] < 0.3
