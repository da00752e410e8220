"""The hyperparameter search: strategy, limits, ranges, warm start."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from ops.errors import OperatorError
from ops.settings.section import Section
from ops.settings.tunable import TUNABLE

MAX_VALUES = 30  # of a categorical range, in the SageMaker API
MAX_PARENTS = 5
# The search of the walk-through that this repository improves on: two trials, one after the other.
ORIGINAL: dict[str, Any] = {
    "strategy": "Bayesian",
    "max_jobs": 2,
    "max_parallel_jobs": 1,
    "continuous": {"learning-rate": {"min": 0.001, "max": 0.1}},
    "integer": {},
    "categorical": {"batch-size": ["32", "64", "128", "256", "512"]},
}
ORIGINAL_INSTANCE_TYPE = "ml.m5.2xlarge"


class ContinuousRange(Section):
    """Range of a real-valued hyperparameter."""

    min: float = Field(description="Smallest value, inclusive.")
    max: float = Field(description="Largest value, inclusive.")
    scaling: Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"] = Field(
        "Auto", description="Scale on which the search samples the range."
    )

    @model_validator(mode="after")
    def _check_bounds(self) -> ContinuousRange:
        if self.min >= self.max:
            raise ValueError(f"min {self.min} is not below max {self.max}")
        if self.scaling == "Logarithmic" and self.min <= 0:
            raise ValueError(f"Logarithmic scaling needs min above 0, not {self.min}")
        if self.scaling == "ReverseLogarithmic" and not 0 <= self.min < self.max < 1:
            raise ValueError(
                f"ReverseLogarithmic scaling needs a range from 0 to below 1, not {self.min} to {self.max}"
            )
        return self


class IntegerRange(ContinuousRange):
    """Range of an integer hyperparameter."""

    min: int = Field(description="Smallest value, inclusive.")
    max: int = Field(description="Largest value, inclusive.")


class WarmStart(Section):
    """Earlier tuning jobs whose trials the search starts from."""

    jobs: list[str] = Field(
        [],
        max_length=MAX_PARENTS,
        description="Names of tuning jobs that have ended. None: start from scratch.",
    )
    type: Literal["Auto", "IdenticalDataAndAlgorithm", "TransferLearning"] = Field(
        "Auto",
        description="What the earlier jobs have in common with this one. Auto: IdenticalDataAndAlgorithm if data, program "
        "and image are the same, else TransferLearning.",
    )


class TuningSettings(Section):
    """Hyperparameter tuning job. Its objective is the accuracy on the validation split."""

    strategy: Literal["Bayesian", "Random", "Grid", "Hyperband"] = Field(
        "Bayesian", description="Search strategy. Grid tries every combination of the categorical values."
    )
    max_jobs: int = Field(
        2,
        ge=1,
        le=750,
        description="Number of training jobs in total. Leave it out for Grid, which counts its combinations.",
    )
    max_parallel_jobs: int = Field(1, ge=1, le=100, description="Number of training jobs at a time.")
    max_runtime_seconds: int = Field(
        8 * 3600, ge=120, le=30 * 86400, description="Time limit of the tuning job in seconds."
    )
    epochs: int = Field(
        5, ge=1, le=1000, description="Number of epochs of each training job; with Hyperband, at most."
    )
    min_epochs: int = Field(
        1, ge=1, le=1000, description="With Hyperband: epochs after which it may stop a training job."
    )
    early_stopping: Literal["Off", "Auto"] = Field(
        "Off",
        description="Auto: SageMaker stops training jobs that are unlikely to beat the finished ones. Hyperband stops "
        "training jobs in its own way.",
    )
    spot: bool = Field(
        False,
        description="Run the training jobs on managed Spot capacity; an interrupted one resumes from its checkpoint.",
    )
    # The SageMaker SDK drops a zero from its requests.
    seed: int = Field(1, ge=1, description="Seed of the search.")
    warm_start: WarmStart = WarmStart()
    continuous: dict[str, ContinuousRange] = Field({})
    integer: dict[str, IntegerRange] = Field({})
    categorical: dict[str, Annotated[list[str], Field(min_length=1, max_length=MAX_VALUES)]] = Field(
        {},
        description="Values to try, by hyperparameter: batch-size, learning-rate, optimizer, weight-decay, head, and those "
        "of the recipe, such as label-smoothing.",
    )

    @property
    def number_of_jobs(self) -> int:
        """How many training jobs the search runs."""
        if self.strategy == "Grid":
            return math.prod(len(values) for values in self.categorical.values())
        return self.max_jobs

    @property
    def ranged(self) -> set[str]:
        """Names of the hyperparameters that are tuned."""
        return {*self.continuous, *self.integer, *self.categorical}

    @model_validator(mode="after")
    def _check_ranges(self) -> TuningSettings:
        names = [*self.continuous, *self.integer, *self.categorical]
        if not names:
            raise ValueError("give at least one range under continuous, integer or categorical")
        if unknown := set(names) - set(TUNABLE):
            raise ValueError(f"{sorted(unknown)} cannot be tuned; these can: {', '.join(TUNABLE)}")
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{repeated} has two ranges: remove one")
        if wrong := "; ".join(self._wrong()):
            raise ValueError(wrong)
        return self

    def _wrong(self) -> Iterator[str]:
        """Yield what the training program would refuse of the ranges."""
        for name in sorted(self.continuous):
            if TUNABLE[name].kind != "real":
                yield f"{name} is {_article(TUNABLE[name].kind)} and cannot be continuous: move its range to {_home(name)}"
        for name in sorted(self.integer):
            if TUNABLE[name].kind == "choice":
                yield f"{name} is a choice: move its range to categorical"
        for name, values in sorted(self.categorical.items()):
            if len(set(values)) < len(values):
                yield f"{name} has a value twice: remove one"
        tried: dict[str, Sequence[str | float]] = dict(self.categorical)
        for name, bounds in {**self.continuous, **self.integer}.items():
            if TUNABLE[name].kind != "choice":
                tried[name] = [bounds.min, bounds.max]
        for name, candidates in sorted(tried.items()):
            problems = map(TUNABLE[name].problem, candidates)
            yield from (f"{name}: {problem}" for problem in problems if problem)

    @model_validator(mode="after")
    def _check_number_of_jobs(self) -> TuningSettings:
        if self.strategy == "Grid":
            if self.continuous or self.integer:
                raise ValueError("the Grid strategy takes categorical ranges only")
            if "max_jobs" in self.model_fields_set and self.max_jobs != self.number_of_jobs:
                raise ValueError(
                    f"max_jobs {self.max_jobs} must be {self.number_of_jobs}, the number of combinations of the Grid "
                    "strategy: leave it out"
                )
        if self.max_parallel_jobs > self.number_of_jobs:
            raise ValueError(
                f"max_parallel_jobs {self.max_parallel_jobs} exceeds max_jobs {self.number_of_jobs}"
            )
        return self

    @model_validator(mode="after")
    def _check_warm_start(self) -> TuningSettings:
        if self.warm_start.jobs and self.strategy not in ("Bayesian", "Random"):
            raise ValueError(
                f"a search starts from earlier jobs with Bayesian and Random only, not with {self.strategy}"
            )
        return self

    @model_validator(mode="after")
    def _check_hyperband(self) -> TuningSettings:
        if self.strategy != "Hyperband":
            return self
        if self.early_stopping == "Auto":
            raise ValueError("Hyperband stops training jobs in its own way: set early_stopping to Off")
        if self.min_epochs >= self.epochs:
            raise ValueError(
                f"Hyperband needs min_epochs below epochs, not {self.min_epochs} and {self.epochs}"
            )
        return self


def chosen(tuning: TuningSettings, changes: dict[str, Any]) -> TuningSettings:
    """Return the settings of a search, overridden by the options of the command.

    changes: by setting; None leaves the setting as it is. Raises OperatorError for a value that is not valid.
    """
    given = {name: value for name, value in changes.items() if value is not None}
    kept = tuning.model_dump()
    if given.get("strategy", tuning.strategy) == "Grid":
        del kept["max_jobs"]  # of another strategy
    if "max_jobs" in given and "max_parallel_jobs" not in given:
        kept["max_parallel_jobs"] = max(1, min(tuning.max_parallel_jobs, given["max_jobs"]))
    try:
        return TuningSettings(**{**kept, **given})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'tuning'}: {e['msg'].removeprefix('Value error, ')}"
            for e in error.errors()
        )
        raise OperatorError(f"The options do not fit the settings under [tuning]: {wrong}.") from None


def _article(kind: str) -> str:
    return "an integer" if kind == "integer" else "a choice"


def _home(name: str) -> str:
    return "integer or categorical" if TUNABLE[name].kind == "integer" else "categorical"
