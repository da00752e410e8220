"""Warm start: the earlier tuning jobs whose trials a search starts from."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from ml.jobs import job_inputs
from ml.jobs.data.manifest import Manifest
from ml.jobs.follow import TERMINAL
from ops.aws import is_missing
from ops.environment import Environment
from ops.errors import Refused

IDENTICAL, TRANSFER = "IdenticalDataAndAlgorithm", "TransferLearning"


def relation(env: Environment, manifest: Manifest, source: job_inputs.Source) -> str:
    """Return the WarmStartType of the search, given by the settings or found out; empty without earlier jobs.

    Raises Refused for a tuning job that does not exist, is running, or has no trial with a result.
    """
    chosen = env.settings.tuning.warm_start
    if not chosen.jobs:
        return ""
    prefix = f"{env.settings.prefix}-"
    if other := next((name for name in chosen.jobs if not name.startswith(prefix)), None):
        raise Refused(
            f"{other!r} is no tuning job of this environment, whose names start with {prefix}: give another one."
        )
    parents = [_parent(env, name) for name in chosen.jobs]
    if chosen.type != "Auto":
        return chosen.type
    same = all(_is_identical(env, parent, manifest, source) for parent in parents)
    return IDENTICAL if same else TRANSFER


def _parent(env: Environment, name: str) -> dict[str, Any]:
    try:
        job: dict[str, Any] = env.client("sagemaker").describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name
        )
    except ClientError as error:
        if is_missing(error):
            raise Refused(
                f"There is no tuning job {name!r} to start from: `./inv tune{env.settings.flag} --json` and "
                "results/tuning.json in the bucket name the latest."
            ) from None
        raise
    if job["HyperParameterTuningJobStatus"] not in TERMINAL:
        raise Refused(
            f"The tuning job {name} is still running, and a search can only start from one that has ended: wait for it, or "
            f"end it with ./inv tune{env.settings.flag} --stop."
        )
    if "BestTrainingJob" not in job:
        raise Refused(
            f"No trial of the tuning job {name} has a result to start from: choose another one, or omit --from."
        )
    return job


def _is_identical(
    env: Environment, parent: dict[str, Any], manifest: Manifest, source: job_inputs.Source
) -> bool:
    """Return whether a tuning job had the same data, program and image."""
    definition = parent["TrainingJobDefinition"]
    if definition["AlgorithmSpecification"].get("TrainingImage") != job_inputs.training_image(env.settings):
        return False
    uris = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in definition.get("InputDataConfig", [])
        if "S3DataSource" in channel["DataSource"]
    }
    if uris.get(job_inputs.CODE) != source.uri.removesuffix(job_inputs.ARCHIVE):
        return False
    arn = parent["HyperParameterTuningJobArn"]
    tags = {
        tag["Key"]: tag["Value"]
        for page in env.client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn)
        for tag in page["Tags"]
    }
    return tags.get("DataHash") == manifest.hash[:16]
