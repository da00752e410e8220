"""The search of a tuning job."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedded_aws.services.sagemaker.tuning.search import Parameter, Search


def config(strategy: str = "Random", direction: str = "Maximize", **members: Any) -> dict[str, Any]:
    ranges = {
        "ContinuousParameterRanges": [
            {"Name": "rate", "MinValue": "0.0001", "MaxValue": "1", "ScalingType": "Logarithmic"}
        ],
        "IntegerParameterRanges": [
            {"Name": "layers", "MinValue": "1", "MaxValue": "6", "ScalingType": "Linear"}
        ],
    }
    return {
        "Strategy": strategy,
        "HyperParameterTuningJobObjective": {"Type": direction, "MetricName": "objective"},
        "ParameterRanges": ranges,
        **members,
    }


@pytest.mark.parametrize(
    ("low", "high", "log"), [("0.001", "1", True), ("0.1", "1", False), ("-1", "1", False)]
)
def test_auto_scaling_is_logarithmic_over_three_decades(low: str, high: str, log: bool) -> None:
    parameter = Parameter("Continuous", {"Name": "x", "MinValue": low, "MaxValue": high})
    assert parameter.distribution.log is log


@settings(max_examples=50, deadline=None)
@given(st.floats(min_value=0.9, max_value=0.9999))
def test_reverse_logarithmic_values_survive_conversion_to_text(value: float) -> None:
    spec = {"Name": "x", "MinValue": "0.9", "MaxValue": "0.9999", "ScalingType": "ReverseLogarithmic"}
    parameter = Parameter("Continuous", spec)
    assert float(parameter.text(parameter.value(str(value)))) == pytest.approx(value, abs=1e-12)


def test_reverse_logarithmic_prefers_the_upper_end() -> None:
    spec = {"Name": "x", "MinValue": "0", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"}
    search = Search(config(RandomSeed=1, ParameterRanges={"ContinuousParameterRanges": [spec]}))
    values = [float(search.propose()[1]["x"]) for _ in range(60)]
    assert all(0 <= value <= 0.999 for value in values)
    assert sum(value > 0.9 for value in values) > 30


def test_value_out_of_range_is_refused() -> None:
    parameter = Parameter("Integer", {"Name": "n", "MinValue": "1", "MaxValue": "3"})
    assert parameter.value("3") == 3
    with pytest.raises(ValueError, match="n=4 is out of range"):
        parameter.value("4")


def test_seed_repeats_a_search_except_after_a_restart() -> None:
    first, again = Search(config(RandomSeed=7)), Search(config(RandomSeed=7))
    assert [first.propose() for _ in range(3)] == [again.propose() for _ in range(3)]
    resumed = Search(config(RandomSeed=7), trials_before=3)
    assert resumed.propose()[1] != Search(config(RandomSeed=7)).propose()[1]


@pytest.mark.parametrize("direction", ["Maximize", "Minimize"])
def test_bayesian_strategy_learns_the_direction(direction: str) -> None:
    search = Search(config("Bayesian", direction, RandomSeed=1))
    sign = 1 if direction == "Maximize" else -1
    for _ in range(30):
        trial, texts = search.propose()
        search.finish(trial, sign * float(texts["layers"]))
    layers = [int(search.propose()[1]["layers"]) for _ in range(10)]
    assert sum(layers) / len(layers) > 4


def test_known_results_guide_the_search_and_out_of_range_ones_are_ignored() -> None:
    search = Search(config("Bayesian", RandomSeed=1))
    for number in range(20):
        layers = number % 6 + 1
        assert search.add({"rate": "0.01", "layers": str(layers)}, float(layers)) == number
    assert search.add({"rate": "7", "layers": "1"}, 1.0) is None
    assert search.add({"layers": "1"}, 1.0) is None
    layers = [int(search.propose()[1]["layers"]) for _ in range(10)]
    assert sum(layers) / len(layers) > 4


def test_grid_has_every_combination_also_after_a_restart() -> None:
    ranges = {
        "CategoricalParameterRanges": [
            {"Name": "a", "Values": ["1", "2"]},
            {"Name": "b", "Values": ["x", "y"]},
        ]
    }
    search = Search(config("Grid", ParameterRanges=ranges))
    assert search.size == 4
    proposed = [search.propose()[1] for _ in range(4)]
    assert len({tuple(texts.items()) for texts in proposed}) == 4
    resumed = Search(config("Grid", ParameterRanges=ranges), trials_before=2)
    for texts in proposed[:2]:
        resumed.add(texts, 1.0)
    assert [resumed.propose()[1] for _ in range(2)] == proposed[2:]


def test_early_stopping_auto_stops_a_trial_below_the_median() -> None:
    search = Search(config(RandomSeed=1, TrainingJobEarlyStoppingType="Auto"))
    assert search.stops_early
    for value in (0.8, 0.9, 1.0):
        trial, _ = search.propose()
        assert not search.report(trial, value)
        assert not search.report(trial, value)
        search.finish(trial, value)
    good, _ = search.propose()
    bad, _ = search.propose()
    assert not search.report(good, 0.95)
    assert not search.report(good, 0.95)
    stops = [search.report(bad, 0.1), search.report(bad, 0.1)]
    assert stops[-1]
    search.finish(bad, 0.1, stopped=True)
    assert not Search(config()).stops_early


def test_failed_trial_is_recorded_without_a_result() -> None:
    search = Search(config("Bayesian", RandomSeed=1))
    trial, _ = search.propose()
    search.finish(trial, None)
    trial, _ = search.propose()
    search.finish(trial, float("nan"))
    assert len(search.propose()[1]) == 2


def test_any_number_of_trials_before_gives_a_valid_seed() -> None:
    late = Search(config(RandomSeed=2**31 - 1), trials_before=2**32 - 1)
    assert late.propose()[1] != Search(config(RandomSeed=2**31 - 1)).propose()[1]
