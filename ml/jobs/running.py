"""The SageMaker jobs of an environment that are under way: which they are, their stop, their end."""

from __future__ import annotations

import time
from collections.abc import Callable

from botocore.exceptions import ClientError

from ops.aws import client, error_code
from ops.errors import OperatorError
from ops.settings import Settings

# kind: operation that lists, key of its answer, name of a job. Searches first: one that stops starts no more trials.
_KINDS = {
    "tuning": (
        "list_hyper_parameter_tuning_jobs",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJobName",
    ),
    "training": ("list_training_jobs", "TrainingJobSummaries", "TrainingJobName"),
}
_LONGEST_STOP = 1200  # seconds; SageMaker gives a program 2 minutes, then uploads what there is
_PAUSE = 3.0


def under_way(settings: Settings, kind: str) -> dict[str, str]:
    """The jobs that run or are being stopped, both of which bill: name to status. kind: "tuning" or "training"."""
    operation, items, name = _KINDS[kind]
    pages = client("sagemaker", settings.region).get_paginator(operation)
    return {
        job[name]: status
        for status in ("InProgress", "Stopping")
        for page in pages.paginate(NameContains=settings.prefix, StatusEquals=status)
        for job in page[items]
        if job[name].startswith(f"{settings.prefix}-")
    }


def stop(settings: Settings, kind: str) -> list[str]:
    """Order the stop of every running job of a kind. Returns their names."""
    sagemaker = client("sagemaker", settings.region)
    order = {
        "tuning": lambda n: sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=n),
        "training": lambda n: sagemaker.stop_training_job(TrainingJobName=n),
    }[kind]
    stopped = []
    for name, status in under_way(settings, kind).items():
        if status == "InProgress":
            try:
                order(name)
            except ClientError as error:
                if error_code(error) not in ("ValidationException", "ResourceNotFound"):
                    raise
                continue  # it ended by itself since it was listed
            stopped.append(name)
    return stopped


def stop_all(settings: Settings, progress: Callable[[str], None] = lambda text: None) -> list[str]:
    """Stop every job and wait for its end: until then it bills, and writes into the bucket. Returns their names.

    Raises OperatorError if one does not end within 20 minutes.
    """
    stopped: list[str] = []
    deadline = time.monotonic() + _LONGEST_STOP
    while True:
        for kind in _KINDS:
            stopped += stop(settings, kind)
        left = [name for kind in _KINDS for name in under_way(settings, kind)]
        if not left:
            return stopped
        if time.monotonic() > deadline:
            raise OperatorError(
                f"{', '.join(left)} did not stop within {_LONGEST_STOP // 60} minutes: look at the SageMaker console, "
                "then run the same command again."
            )
        progress(f"waiting for the end of {', '.join(left)}")
        time.sleep(_PAUSE)
