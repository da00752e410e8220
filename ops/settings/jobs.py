"""The network, and the jobs that train and tune it."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ops.settings.section import InstanceType, Section

Architecture = Literal["small_cnn", "resnet18", "resnet50", "mobilenet_v3_small"]


class ModelSettings(Section):
    """The network. image_size: pixels, height and width of the input."""

    architecture: Architecture = "resnet50"
    image_size: int = Field(224, ge=16, le=512)
    pretrained: bool = False

    @model_validator(mode="after")
    def _has_weights(self):
        if self.pretrained and self.architecture == "small_cnn":
            raise ValueError("small_cnn has no pretrained weights: set pretrained = false")
        return self


class TrainingSettings(Section):
    """A training job. max_runtime_seconds: the job is stopped after it. minimum_accuracy: on the test split,
    0 to 1; a model below it is registered as PendingManualApproval and not deployed by itself."""

    instance_type: InstanceType = "ml.m5.2xlarge"
    instance_count: int = Field(1, ge=1, le=20)
    volume_size_gb: int = Field(30, ge=1, le=16384)
    max_runtime_seconds: int = Field(4 * 3600, ge=60, le=5 * 86400)
    spot: bool = False
    epochs: int = Field(10, ge=1, le=1000)
    weight_decay: float = Field(0.0001, ge=0, le=1)
    seed: int = 0
    minimum_accuracy: float = Field(0.8, ge=0, le=1)


class ContinuousRange(Section):
    """A real-valued hyperparameter, min and max included."""

    min: float
    max: float
    scaling: Literal["Auto", "Linear", "Logarithmic", "ReverseLogarithmic"] = "Auto"

    @model_validator(mode="after")
    def _ordered(self):
        if self.min >= self.max:
            raise ValueError(f"min {self.min} is not below max {self.max}")
        if self.scaling == "Logarithmic" and self.min <= 0:
            raise ValueError(f"Logarithmic scaling needs min above 0, not {self.min}")
        if self.scaling == "ReverseLogarithmic" and not 0 <= self.min < self.max < 1:
            raise ValueError(
                f"ReverseLogarithmic scaling needs a real range from 0 to below 1, not {self.min} to {self.max}"
            )
        return self


class IntegerRange(ContinuousRange):
    """A whole-numbered hyperparameter, min and max included."""

    min: int
    max: int


class TuningSettings(Section):
    """A hyperparameter tuning job over the ranges; the objective is the accuracy on the validation split.

    seed: above 0, as the SageMaker SDK drops a zero from its requests.
    """

    strategy: Literal["Bayesian", "Random", "Grid", "Hyperband"] = "Bayesian"
    max_jobs: int = Field(2, ge=1, le=750)
    max_parallel_jobs: int = Field(1, ge=1, le=100)
    max_runtime_seconds: int = Field(8 * 3600, ge=120, le=30 * 86400)
    epochs: int = Field(5, ge=1, le=1000)
    seed: int = Field(1, ge=1)
    continuous: dict[str, ContinuousRange] = Field({})
    integer: dict[str, IntegerRange] = Field({})
    categorical: dict[str, Annotated[list[str], Field(min_length=1)]] = Field({})

    @model_validator(mode="after")
    def _has_ranges(self):
        names = [*self.continuous, *self.integer, *self.categorical]
        known = {"learning-rate", "batch-size", "optimizer", "weight-decay"}
        if not names:
            raise ValueError("give at least one range under continuous, integer or categorical")
        if unknown := set(names) - known:
            raise ValueError(f"{sorted(unknown)} cannot be tuned; these can: {', '.join(sorted(known))}")
        if fractional := set(self.continuous) & {"batch-size", "optimizer"}:
            raise ValueError(f"{sorted(fractional)} cannot be continuous: use integer or categorical")
        if "optimizer" in self.integer:
            raise ValueError("optimizer is categorical")
        if len(names) != len(set(names)):
            raise ValueError("one hyperparameter has two ranges")
        if self.max_parallel_jobs > self.max_jobs:
            raise ValueError(f"max_parallel_jobs {self.max_parallel_jobs} exceeds max_jobs {self.max_jobs}")
        if self.strategy == "Grid" and (self.continuous or self.integer):
            raise ValueError("the Grid strategy takes categorical ranges only")
        size = math.prod(len(values) for values in self.categorical.values())
        if self.strategy == "Grid" and self.max_jobs != size:
            raise ValueError(
                f"max_jobs {self.max_jobs} must be {size}, the number of combinations of the Grid"
            )
        return self
