"""The importance of hyperparameters: found where there is one, refused in words where it cannot be known."""

from __future__ import annotations

import math
import random

import pytest

from pipeline.report import importance


def trials(count: int, objective) -> tuple[list[dict[str, str]], list[float]]:
    draw = random.Random(3)
    parameters = [
        {"rate": f"{10 ** draw.uniform(-4, 0):.6f}", "optimizer": draw.choice(["adamw", "sgd"]), "fixed": "1"}
        for _ in range(count)
    ]
    return parameters, [objective(p) for p in parameters]


def by_rate(parameters: dict[str, str]) -> float:
    return 0.9 - 0.1 * (math.log10(float(parameters["rate"])) + 2) ** 2


def by_optimizer(parameters: dict[str, str]) -> float:
    return 0.9 if parameters["optimizer"] == "adamw" else 0.4


@pytest.mark.parametrize(("objective", "first"), [(by_rate, "rate"), (by_optimizer, "optimizer")])
def test_the_hyperparameter_that_decides_is_the_first(objective, first):
    found = importance.estimate(*trials(40, objective))
    assert not isinstance(found, str)
    (name, share), *_ = found.found
    assert name == first and share > 0.8
    assert sum(value for _, value in found.found) == pytest.approx(1)
    assert found.trials == 40
    assert found.explained > 0.5
    assert "fixed" not in dict(found.found)


def test_noise_is_not_explained():
    draw = random.Random(5)
    found = importance.estimate(*trials(40, lambda _: draw.random()))
    assert not isinstance(found, str) and found.explained < 0.2


def test_few_trials_are_refused_with_the_setting_that_gives_more():
    found = importance.estimate(*trials(importance.MINIMUM - 1, by_rate))
    assert found == (
        "The importance of the hyperparameters is not shown: it needs at least 10 trials with a result, and this search has 9. "
        "Raise tuning.max_jobs."
    )


def test_equal_results_are_refused():
    assert "all trials have the same result" in str(importance.estimate(*trials(12, lambda _: 1.0)))
    assert "no hyperparameter was varied" in str(
        importance.estimate([{"a": "1"}] * 12, [float(n) for n in range(12)])
    )
