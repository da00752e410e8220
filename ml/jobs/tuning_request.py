"""The request that creates a search, a SageMaker tuning job, and the definition of its trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ml.jobs import job_inputs
from ml.jobs.data.manifest import Manifest
from ml.jobs.sdk import sdk
from ops import s3
from ops.environment import Environment
from ops.settings.tuning import TuningSettings

CHECKPOINTS_BY_JOB = "CHECKPOINTS_BY_JOB"
"""Environment variable of the trials, which share one checkpoint location: each keeps to a folder of its own."""


@dataclass(frozen=True)
class SearchInputs:
    """What a search is made of.

    env: acts as the tuning role.
    features: s3:// prefix of the features that the trials train on; empty if each computes its own.
    parents: tuning jobs that the search starts from, and how they are related to it.
    """

    env: Environment
    manifest: Manifest
    source: job_inputs.Source
    features: str = ""
    parents: tuple[str, ...] = ()
    warm_start_type: str = ""


def create(inputs: SearchInputs, name: str) -> None:
    """Create the tuning job `name`."""
    settings = inputs.env.settings
    parents = [{"hyper_parameter_tuning_job_name": parent} for parent in inputs.parents]
    warm_start = {
        "parent_hyper_parameter_tuning_jobs": parents,
        "warm_start_type": inputs.warm_start_type,
    }
    sdk().HyperParameterTuningJob.create(
        hyper_parameter_tuning_job_name=name,
        hyper_parameter_tuning_job_config=_configuration(settings.tuning),
        training_job_definition=trial_definition(inputs, name),
        **({"warm_start_config": warm_start} if parents else {}),
        tags=job_inputs.tags(settings, inputs.manifest),
        session=inputs.env.session,
        region=settings.region,
    )


def _configuration(tuning: TuningSettings) -> dict[str, Any]:
    limits = {
        "max_parallel_training_jobs": tuning.max_parallel_jobs,
        "max_runtime_in_seconds": tuning.max_runtime_seconds,
    }
    if tuning.strategy != "Grid":  # which counts its combinations
        limits["max_number_of_training_jobs"] = tuning.max_jobs
    found: dict[str, Any] = {
        "strategy": tuning.strategy,
        "hyper_parameter_tuning_job_objective": {"type": "Maximize", "metric_name": job_inputs.OBJECTIVE},
        "resource_limits": limits,
        "parameter_ranges": parameter_ranges(tuning),
        "random_seed": tuning.seed,
    }
    if tuning.strategy == "Hyperband":  # SageMaker refuses any TrainingJobEarlyStoppingType but Off
        resources = {"min_resource": tuning.min_epochs, "max_resource": tuning.epochs}
        found["strategy_config"] = {"hyperband_strategy_config": resources}
    else:
        found["training_job_early_stopping_type"] = tuning.early_stopping
    return found


def parameter_ranges(tuning: TuningSettings) -> dict[str, Any]:
    """Return the ranges in the form of the SageMaker API."""
    numeric = {
        f"{kind}_parameter_ranges": [
            {"name": name, "min_value": str(r.min), "max_value": str(r.max), "scaling_type": r.scaling}
            for name, r in ranges.items()
        ]
        for kind, ranges in (("continuous", tuning.continuous), ("integer", tuning.integer))
    }
    categorical = [{"name": name, "values": values} for name, values in tuning.categorical.items()]
    return {**numeric, "categorical_parameter_ranges": categorical}


def trial_definition(inputs: SearchInputs, name: str) -> dict[str, Any]:
    """Return the definition of the trials of the tuning job `name`.

    Every hyperparameter is either tuned or static: the number of both together must be that of the parents of a warm
    start.
    """
    env, settings, foundation = inputs.env, inputs.env.settings, inputs.env.outputs.foundation
    tuning = settings.tuning
    static = {
        **job_inputs.hyperparameters(settings, tuning.epochs, inputs.manifest),
        **job_inputs.toolkit_parameters(settings),
    }
    return {
        "static_hyper_parameters": {k: v for k, v in static.items() if k not in tuning.ranged},
        "algorithm_specification": {
            "training_image": job_inputs.training_image(settings),
            "training_input_mode": "File",
            "metric_definitions": job_inputs.metric_definitions(),
        },
        "role_arn": foundation.training_role_arn,
        "input_data_config": job_inputs.channels(
            env, inputs.source, inputs.manifest, ["train", "valid"], inputs.features
        ),
        "output_data_config": {
            "s3_output_path": str(s3.in_data_bucket(env, "tuning")),
            "kms_key_id": foundation.kms_key_arn,
        },
        "resource_config": job_inputs.resources(env, 1),
        **job_inputs.network_settings(env, 1),
        **_capacity(env, name),
        "retry_strategy": job_inputs.RETRY_STRATEGY,
    }


def _capacity(env: Environment, name: str) -> dict[str, Any]:
    """Return the time limits of the trials, and on Spot capacity their checkpoints."""
    limit = env.settings.training.max_runtime_seconds
    if not env.settings.tuning.spot:
        return {"stopping_condition": {"max_runtime_in_seconds": limit}}
    return {
        "enable_managed_spot_training": True,
        "stopping_condition": {
            "max_runtime_in_seconds": limit,
            "max_wait_time_in_seconds": 2 * limit,
        },
        "checkpoint_config": {"s3_uri": str(s3.in_data_bucket(env, f"checkpoints/{name}/"))},
        "environment": {CHECKPOINTS_BY_JOB: "true"},
    }
