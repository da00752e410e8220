"""Checks CreateHyperParameterTuningJob requests beyond the constraints of the API model."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

EPOCHS = (
    "epochs",
    "numepochs",
    "n-epochs",
    "n_epochs",
    "num_epochs",
)  # static hyperparameters that AWS knows
LIMIT = 30  # parameter ranges per job, as on AWS


def check(request: dict[str, Any]) -> None:
    """Raise ValidationException for an invalid request, or one that the embedded AWS does not support."""
    if "TrainingJobDefinitions" in request or request.get("Autotune"):
        raise AWSValidationException(
            "The embedded AWS tunes one TrainingJobDefinition, without Autotune and TrainingJobDefinitions."
        )
    config, definition = request["HyperParameterTuningJobConfig"], request.get("TrainingJobDefinition")
    if definition is None:
        raise AWSValidationException("TrainingJobDefinition is required.")
    for member in ("HyperParameterTuningResourceConfig", "HyperParameterRanges", "TuningObjective"):
        if member in definition:
            raise AWSValidationException(f"The embedded AWS does not support TrainingJobDefinition.{member}.")
    for holder, member in ((config, "HyperParameterTuningJobObjective"), (config, "ParameterRanges")):
        if member not in holder:
            raise AWSValidationException(f"HyperParameterTuningJobConfig.{member} is required.")
    if "ResourceConfig" not in definition:
        raise AWSValidationException("TrainingJobDefinition.ResourceConfig is required.")
    if "AlgorithmName" in definition["AlgorithmSpecification"]:
        raise AWSValidationException("The embedded AWS has no marketplace algorithms: set TrainingImage.")
    _check_objective(config, definition)
    _check_ranges(config["ParameterRanges"], definition.get("StaticHyperParameters", {}))
    _check_strategy(config)
    if config["Strategy"] == "Hyperband" and max_resource(config, definition) is None:
        raise AWSValidationException(
            "HyperbandStrategyConfig must set MaxResource, or StaticHyperParameters must hold one of "
            f"{', '.join(EPOCHS)}."
        )


def max_resource(config: dict[str, Any], definition: dict[str, Any]) -> int | None:
    """Return the epochs after which Hyperband ends a trial: as requested, or those of the training jobs."""
    limits = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    static = definition.get("StaticHyperParameters", {})
    inferred = (int(static[name]) for name in EPOCHS if static.get(name, "").isdigit())
    found: int | None = limits.get("MaxResource") or next(inferred, None)
    return found


def check_parent(request: dict[str, Any], parent: dict[str, Any]) -> None:
    """Raise ValidationException for a warm start from a parent whose results are not comparable."""

    def objective(job: dict[str, Any]) -> tuple[str, str]:
        found = job["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        return found["MetricName"], found["Type"]

    def image(job: dict[str, Any]) -> str:
        found: str = job["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingImage"]
        return found

    name = parent["HyperParameterTuningJobName"]
    if objective(request) != objective(parent):
        raise AWSValidationException(
            f"The objective metric {objective(request)} must match that of the parent tuning job {name}, "
            f"{objective(parent)}."
        )
    number, before = _number_of_hyperparameters(request), _number_of_hyperparameters(parent)
    if number != before:
        raise AWSValidationException(
            f"The total number of static and tunable hyperparameters, {number}, must be that of the parent tuning job "
            f"{name}, {before}."
        )
    if request["WarmStartConfig"]["WarmStartType"] == "IdenticalDataAndAlgorithm" and image(request) != image(
        parent
    ):
        raise AWSValidationException(
            f"WarmStartType IdenticalDataAndAlgorithm needs the training image of the parent tuning job {name}, "
            f"{image(parent)}, not {image(request)}."
        )


def _number_of_hyperparameters(request: dict[str, Any]) -> int:
    """Return the number of tuned and static hyperparameters together."""
    ranges = request["HyperParameterTuningJobConfig"]["ParameterRanges"]
    tuned = sum(len(specs) for name, specs in ranges.items() if name != "AutoParameters")
    return tuned + len(request["TrainingJobDefinition"].get("StaticHyperParameters", {}))


def _check_objective(config: dict[str, Any], definition: dict[str, Any]) -> None:
    name = config["HyperParameterTuningJobObjective"]["MetricName"]
    known = [item["Name"] for item in definition["AlgorithmSpecification"].get("MetricDefinitions", [])]
    if name not in known:
        raise AWSValidationException(
            f"A metric definition was not provided for the objective metric [{name}]. Provide a metric definition "
            f"for it; there are definitions for: {', '.join(known) or 'none'}."
        )


def _check_ranges(ranges: dict[str, Any], static: dict[str, str]) -> None:
    if ranges.get("AutoParameters"):
        raise AWSValidationException("The embedded AWS does not choose ranges itself (AutoParameters).")
    kinds = ("Continuous", "Integer", "Categorical")
    specs = [(kind, spec) for kind in kinds for spec in ranges.get(f"{kind}ParameterRanges", [])]
    if not 1 <= len(specs) <= LIMIT:
        raise AWSValidationException(
            f"ParameterRanges must hold between 1 and {LIMIT} ranges, not {len(specs)}."
        )
    counts = Counter(spec["Name"] for _, spec in specs)
    for name, count in counts.items():
        if count > 1 or name in static:
            where = "more than one range" if count > 1 else "both a range and StaticHyperParameters"
            raise AWSValidationException(f"The hyperparameter [{name}] is in {where}.")
    for kind, spec in specs:
        if kind != "Categorical":
            _check_numbers(kind, spec)


def _check_numbers(kind: str, spec: dict[str, str]) -> None:
    name, low, high = spec["Name"], spec["MinValue"], spec["MaxValue"]
    number = int if kind == "Integer" else float
    try:
        bottom, top = number(low), number(high)
    except ValueError:
        raise AWSValidationException(
            f"The range of [{name}] must hold {'integers' if number is int else 'numbers'}: {low} to {high}."
        ) from None
    if not (math.isfinite(bottom) and math.isfinite(top)) or bottom > top:
        raise AWSValidationException(
            f"The MinValue [{low}] of [{name}] must be less than or equal to its MaxValue [{high}]."
        )
    scaling = spec.get("ScalingType", "Auto")
    if scaling == "Logarithmic" and bottom <= 0:
        raise AWSValidationException(
            f"Logarithmic scaling of [{name}] needs values greater than 0, not {low}."
        )
    if scaling == "ReverseLogarithmic" and (kind == "Integer" or bottom < 0 or top >= 1):
        raise AWSValidationException(
            f"ReverseLogarithmic scaling of [{name}] needs continuous values in 0 <= x < 1, not {low} to {high}."
        )


def _check_strategy(config: dict[str, Any]) -> None:
    strategy, ranges, limits = config["Strategy"], config["ParameterRanges"], config["ResourceLimits"]
    number = limits.get("MaxNumberOfTrainingJobs")
    if strategy == "Grid":
        if ranges.get("ContinuousParameterRanges") or ranges.get("IntegerParameterRanges"):
            raise AWSValidationException("Grid search tunes categorical parameters only.")
        size = math.prod(len(spec["Values"]) for spec in ranges["CategoricalParameterRanges"])
        if number is not None and number != size:
            raise AWSValidationException(
                f"MaxNumberOfTrainingJobs must be {size}, the number of combinations of the grid, or left out."
            )
    elif number is None and "MaxRuntimeInSeconds" not in limits:
        raise AWSValidationException(
            "ResourceLimits must set MaxNumberOfTrainingJobs or MaxRuntimeInSeconds."
        )
    if number is not None and limits["MaxParallelTrainingJobs"] > number:
        raise AWSValidationException(
            f"MaxParallelTrainingJobs [{limits['MaxParallelTrainingJobs']}] must be less than or equal to "
            f"MaxNumberOfTrainingJobs [{number}]."
        )
    criteria = config.get("TuningJobCompletionCriteria", {})
    if criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled":
        raise AWSValidationException("The embedded AWS does not detect convergence (ConvergenceDetected).")
    if strategy == "Hyperband" and config.get("TrainingJobEarlyStoppingType") == "Auto":
        raise AWSValidationException(
            "Hyperband stops training jobs itself: TrainingJobEarlyStoppingType must be Off."
        )
