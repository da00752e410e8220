"""Every choice an operator makes for an environment: environments/<name>.toml, validated on load."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ops.errors import OperatorError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).resolve().parent.parent / "environments"

Architecture = Literal["small_cnn", "resnet18", "resnet50", "mobilenet_v3_small"]
TrainingInstance = Annotated[str, Field(pattern=r"^ml\.[a-z0-9]+\.[a-z0-9]+$")]
# What CloudWatch Logs accepts, in days.
LogRetention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]  # fmt: skip


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(_Section):
    """The network. image_size: pixels, height and width of the input."""

    architecture: Architecture = "resnet50"
    image_size: int = Field(224, ge=16, le=512)
    pretrained: bool = False

    @model_validator(mode="after")
    def _has_weights(self):
        if self.pretrained and self.architecture == "small_cnn":
            raise ValueError("small_cnn has no pretrained weights: set pretrained = false")
        return self


class TrainingSettings(_Section):
    """A training job. max_runtime_seconds: the job is stopped after it. minimum_accuracy: on the test split,
    0 to 1; a model below it is registered as PendingManualApproval and not deployed by itself."""

    instance_type: TrainingInstance = "ml.m5.2xlarge"
    instance_count: int = Field(1, ge=1, le=20)
    volume_size_gb: int = Field(30, ge=1, le=16384)
    max_runtime_seconds: int = Field(4 * 3600, ge=60, le=5 * 86400)
    spot: bool = False
    epochs: int = Field(10, ge=1, le=1000)
    weight_decay: float = Field(0.0001, ge=0, le=1)
    seed: int = 0
    minimum_accuracy: float = Field(0.8, ge=0, le=1)


class ContinuousRange(_Section):
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


class TuningSettings(_Section):
    """A hyperparameter tuning job over the ranges; the objective is the accuracy on the validation split.

    seed: above 0, as the SageMaker SDK drops a zero from its requests.
    """

    strategy: Literal["Bayesian", "Random", "Grid", "Hyperband"] = "Bayesian"
    max_jobs: int = Field(2, ge=1, le=750)
    max_parallel_jobs: int = Field(1, ge=1, le=100)
    max_runtime_seconds: int = Field(8 * 3600, ge=120, le=30 * 86400)
    epochs: int = Field(5, ge=1, le=1000)
    seed: int = Field(1, ge=1)
    continuous: dict[str, ContinuousRange] = {}
    integer: dict[str, IntegerRange] = {}
    categorical: dict[str, Annotated[list[str], Field(min_length=1)]] = {}

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


class AutoscalingSettings(_Section):
    """Target tracking of the endpoint's variant. Cooldowns in seconds; target in invocations per instance and minute."""

    enabled: bool = True
    min_capacity: int = Field(1, ge=1, le=100)
    max_capacity: int = Field(3, ge=1, le=100)
    target_invocations_per_instance: float = Field(600, gt=0)
    scale_in_cooldown: int = Field(30, ge=0, le=3600)
    scale_out_cooldown: int = Field(300, ge=0, le=3600)

    @model_validator(mode="after")
    def _ordered(self):
        if self.min_capacity > self.max_capacity:
            raise ValueError(f"min_capacity {self.min_capacity} exceeds max_capacity {self.max_capacity}")
        return self


class ServingSettings(_Section):
    """The endpoint."""

    instance_type: TrainingInstance = "ml.m5.large"
    initial_instance_count: int = Field(1, ge=1, le=100)
    autoscaling: AutoscalingSettings = AutoscalingSettings()
    termination_wait_seconds: int = Field(60, ge=0, le=3600)

    @model_validator(mode="after")
    def _can_scale(self):
        family = self.instance_type.split(".")[1]
        if self.autoscaling.enabled and family.startswith("t"):
            raise ValueError(
                f"{self.instance_type} is burstable, and SageMaker does not scale burstable instances: "
                "choose for example ml.m5.large or ml.c5.large, or set autoscaling.enabled = false"
            )
        return self


class FunctionSettings(_Section):
    """The Lambda function in front of the endpoint, which itself answers within 60 s or not at all."""

    memory_mb: int = Field(256, ge=128, le=10240)
    timeout_seconds: int = Field(60, ge=1, le=120)
    provisioned_concurrency: int = Field(2, ge=0, le=1000)
    allowed_url_hosts: list[str] = []


class StorageSettings(_Section):
    """The bucket. force_destroy: `down` may empty it. expire_old_versions: lifecycle rules for old versions."""

    force_destroy: bool = False
    expire_old_versions: bool = True


class Settings(_Section):
    """One environment."""

    environment: str = Field(pattern=r"^[a-z][a-z0-9]*$")
    project: str = Field("image-classifier", pattern=r"^[a-z][a-z0-9-]*[a-z0-9]$")
    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")
    embedded_aws: bool = False
    dataset: str = "sample"
    log_retention_days: LogRetention = 365
    key_deletion_window_days: int = Field(30, ge=7, le=30)
    storage: StorageSettings = StorageSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    tuning: TuningSettings
    serving: ServingSettings = ServingSettings()
    function: FunctionSettings = FunctionSettings()

    @model_validator(mode="after")
    def _short(self):
        if len(self.prefix) > 24:
            raise ValueError(
                f"project and environment, {self.prefix!r}, are longer than 24 characters together: "
                "the name of a tuning job has 32 in all"
            )
        return self

    @property
    def prefix(self) -> str:
        """What every resource name of the environment starts with."""
        return f"{self.project}-{self.environment}"

    @property
    def flag(self) -> str:
        """The --env flag that a command to type next needs; empty for the default environment."""
        return "" if self.environment == _default() else f" --env {self.environment}"


def names() -> list[str]:
    """The environments there are."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(environment: str | None = None) -> Settings:
    """Settings of an environment; without a name, of $INVOKE_ENV or `local`.

    Raises OperatorError for an unknown environment, and for a wrong value, by name.
    """
    environment = environment or _default()
    path = FOLDER / f"{environment}.toml"
    if environment not in names():
        raise OperatorError(
            f"There is no environment {environment!r}: choose one of {', '.join(names())}, or write {path}."
        )
    try:
        return Settings(**{**tomllib.loads(path.read_text()), "environment": environment})
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        wrong = "; ".join(_sentence(e) for e in error.errors())
        raise OperatorError(f"{path}: {wrong}.") from error


def _default() -> str:
    return os.environ.get("INVOKE_ENV") or "local"


def _sentence(error) -> str:
    place = ".".join(str(part) for part in error["loc"])
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = f"there is no such setting; there are {', '.join(_known(error['loc'][:-1]))}"
    given = error["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"{place or 'file'}: {message}{shown}"


def _known(section: tuple) -> list[str]:
    """The settings of a section, by its place in the file."""
    kind: Any = Settings
    for part in section:
        arguments = get_args(kind)  # dict[str, ContinuousRange]: `part` is a key of the operator's
        kind = arguments[1] if arguments else kind.model_fields[part].annotation
    return sorted(set(kind.model_fields) - {"environment"})
