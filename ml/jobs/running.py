"""The running SageMaker jobs of an environment: list them, stop them, wait for their end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.environment import Environment
from ops.waiting import wait_for


@dataclass(frozen=True)
class _Kind:
    """Operations of SageMaker's API. items: key of the list's answer. name: key of a job's name."""

    lists: str
    items: str
    name: str
    stops: str


# Searches first: one that stops starts no more trials.
KINDS = {
    "tuning": _Kind(
        "list_hyper_parameter_tuning_jobs",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJobName",
        "stop_hyper_parameter_tuning_job",
    ),
    "training": _Kind("list_training_jobs", "TrainingJobSummaries", "TrainingJobName", "stop_training_job"),
    "processing": _Kind(
        "list_processing_jobs", "ProcessingJobSummaries", "ProcessingJobName", "stop_processing_job"
    ),
}
_STOP_SECONDS = 1200  # SageMaker gives a program 2 minutes, then uploads what there is


def running(env: Environment, kind: str, prefix: str = "") -> dict[str, str]:
    """Return the status of each job that is running or stopping; both bill.

    kind: one of KINDS. prefix: the start of their names, by default that of all jobs of the environment.
    """
    api = KINDS[kind]
    prefix = prefix or env.settings.prefix
    pages = env.client("sagemaker").get_paginator(api.lists)
    return {
        job[api.name]: status
        for status in ("InProgress", "Stopping")
        for page in pages.paginate(NameContains=prefix, StatusEquals=status)
        for job in page[api.items]
        if job[api.name].startswith(f"{prefix}-")
    }


def stop(env: Environment, kind: str, prefix: str = "") -> list[str]:
    """Stop every running job of a kind, without waiting. Returns their names. prefix: as of `running`."""
    sagemaker, api = env.client("sagemaker"), KINDS[kind]
    stopped = []
    for name, status in running(env, kind, prefix).items():
        if status == "InProgress":
            try:
                getattr(sagemaker, api.stops)(**{api.name: name})
            except ClientError as error:
                if error_code(error) not in ("ValidationException", "ResourceNotFound"):
                    raise
                continue  # it has ended since it was listed
            stopped.append(name)
    return stopped


def stop_all(env: Environment, progress: Callable[[str], None] = lambda text: None) -> list[str]:
    """Stop every job and wait until all have ended, as they bill and write to the bucket until then.

    Returns their names. Raises OperatorError if one does not end within 20 minutes.
    """
    stopped: list[str] = []
    left: list[str] = []

    def all_ended() -> bool | None:
        for kind in KINDS:
            stopped.extend(stop(env, kind))
        left[:] = [name for kind in KINDS for name in running(env, kind)]
        return None if left else True

    wait_for(
        all_ended,
        seconds=_STOP_SECONDS,
        shortest=3,
        on_wait=lambda: progress(f"waiting until {', '.join(left)} has stopped"),
        on_timeout=lambda: (
            f"{', '.join(left)} did not stop within {_STOP_SECONDS // 60} minutes: look at the SageMaker console, "
            "then run the same command again."
        ),
    )
    return stopped
