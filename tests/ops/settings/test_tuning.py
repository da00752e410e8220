"""The settings of a search: what can be tuned, with which values, and what the options of the command change."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ops.errors import OperatorError
from ops.settings import load
from ops.settings.tunable import TUNABLE
from ops.settings.tuning import ORIGINAL, TuningSettings, chosen

RATE = {"learning-rate": {"min": 0.001, "max": 0.1}}
GRID = {"strategy": "Grid", "categorical": {"optimizer": ["adamw", "sgd"], "mixup": ["0", "0.2", "0.4"]}}


def valid_values(name: str) -> list[str]:
    """Return the limits of a hyperparameter, or its choices, as text."""
    kind = TUNABLE[name]
    return list(kind.choices) or [f"{limit:.10g}" for limit in kind.limits]


def test_every_hyperparameter_can_be_tuned_at_once():
    """SageMaker takes 30 of them in one search."""
    assert len(TUNABLE) <= 30
    ranges = {name: valid_values(name) for name in TUNABLE}
    assert TuningSettings(categorical=ranges).ranged == set(TUNABLE)


@pytest.mark.parametrize("name", TUNABLE)
def test_a_value_beyond_the_limits_is_refused_by_name(name):
    kind = TUNABLE[name]
    wrong = ["unheard-of"] if kind.choices else [f"{kind.limits[0] - 1:.10g}", f"{kind.limits[1] + 1:.10g}"]
    for value in wrong:
        with pytest.raises(ValidationError, match=f"{name}: .*{value}.* is not (one of|between)"):
            TuningSettings(categorical={name: [value]})


@given(st.sampled_from([n for n, t in TUNABLE.items() if t.kind == "real"]), st.floats(), st.floats())
def test_a_continuous_range_is_accepted_exactly_within_the_limits(name, low, high):
    limits = TUNABLE[name].limits
    right = math.isfinite(low) and math.isfinite(high) and limits[0] <= low < high <= limits[1]
    try:
        TuningSettings(continuous={name: {"min": low, "max": high}})
    except ValidationError:
        assert not right
    else:
        assert right


@pytest.mark.parametrize(
    ("ranges", "message"),
    [
        (
            {"continuous": {"patience": {"min": 1, "max": 5}}},
            "patience is an integer and cannot be continuous",
        ),
        ({"continuous": {"head": {"min": 0, "max": 1}}}, "head is a choice .* move its range to categorical"),
        ({"integer": {"augmentation": {"min": 0, "max": 1}}}, "augmentation is a choice"),
        ({"categorical": {"batch-size": ["many"]}}, "batch-size: 'many' is not an integer"),
        ({"categorical": {"mixup": ["much"]}}, "mixup: 'much' is not a number"),
        ({"categorical": {"head": ["linear", "linear"]}}, "head has a value twice"),
        ({"categorical": {"mixup": [str(n / 10) for n in range(31)]}}, "at most 30 items"),
        ({"continuous": {"mixup": {"min": 0, "max": 50}}}, "mixup: 50.0 is not between 0 and 10"),
    ],
)
def test_a_range_that_the_training_program_would_refuse_is_refused(ranges, message):
    with pytest.raises(ValidationError, match=message):
        TuningSettings(**ranges)


def test_an_integer_range_of_a_real_hyperparameter_is_accepted():
    assert TuningSettings(integer={"mixup": {"min": 0, "max": 2}}).ranged == {"mixup"}


def test_a_grid_counts_its_combinations():
    assert TuningSettings(**GRID).number_of_jobs == 6
    assert TuningSettings(**GRID, max_jobs=6, max_parallel_jobs=6).number_of_jobs == 6
    with pytest.raises(ValidationError, match="max_jobs 5 must be 6"):
        TuningSettings(**GRID, max_jobs=5)
    with pytest.raises(ValidationError, match="max_parallel_jobs 7 exceeds max_jobs 6"):
        TuningSettings(**GRID, max_parallel_jobs=7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"early_stopping": "Auto"}, "set early_stopping to Off"),
        ({"min_epochs": 5}, "min_epochs below epochs, not 5 and 5"),
        ({"warm_start": {"jobs": ["a"]}}, "starts from earlier jobs with Bayesian and Random only"),
    ],
)
def test_hyperband_has_its_own_rules(settings, message):
    TuningSettings(continuous=RATE, **{**settings, "strategy": "Bayesian"})
    with pytest.raises(ValidationError, match=message):
        TuningSettings(continuous=RATE, **settings, strategy="Hyperband")


def test_a_search_starts_from_five_earlier_ones_at_most():
    with pytest.raises(ValidationError, match="at most 5 items"):
        TuningSettings(continuous=RATE, warm_start={"jobs": list("abcdef")})


# ---- options ----


def test_options_override_settings_and_none_leaves_them():
    tuning = TuningSettings(continuous=RATE, max_jobs=8, max_parallel_jobs=4, seed=3)
    changed = chosen(tuning, {"strategy": "Random", "max_jobs": None, "max_parallel_jobs": 2})
    assert (changed.strategy, changed.max_jobs, changed.max_parallel_jobs, changed.seed) == (
        "Random",
        8,
        2,
        3,
    )


def test_fewer_jobs_than_run_at_a_time_lower_that_number():
    tuning = TuningSettings(continuous=RATE, max_jobs=8, max_parallel_jobs=4)
    assert chosen(tuning, {"max_jobs": 3}).max_parallel_jobs == 3


def test_the_grid_option_ignores_the_number_of_another_strategy():
    tuning = TuningSettings(categorical=GRID["categorical"], max_jobs=20, max_parallel_jobs=4)
    assert chosen(tuning, {"strategy": "Grid"}).number_of_jobs == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "Genetic"}, "strategy: Input should be 'Bayesian', 'Random', 'Grid' or 'Hyperband'"),
        ({"max_jobs": -1}, "max_jobs: Input should be greater than or equal to 1"),
        ({"strategy": "Grid"}, "tuning: the Grid strategy takes categorical ranges only"),
        ({"max_parallel_jobs": 9}, "tuning: max_parallel_jobs 9 exceeds max_jobs 2"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_a_sentence(options, message):
    with pytest.raises(OperatorError, match=rf"The options do not fit .*\[tuning\]: {message}"):
        chosen(TuningSettings(continuous=RATE), options)


@pytest.mark.parametrize("environment", ["local", "dev", "prod"])
def test_the_original_search_can_be_run_in_every_environment(environment):
    original = chosen(load(environment).tuning, ORIGINAL)
    assert original.ranged == {"batch-size", "learning-rate"}
    assert (original.number_of_jobs, original.max_parallel_jobs) == (2, 1)
