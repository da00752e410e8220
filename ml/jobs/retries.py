"""Repeats the failed trials of a search, each once, with the same hyperparameters.

SageMaker itself repeats a trial only after an error of its own (RetryStrategy). A trial whose program failed is left out
of the search for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ml.jobs import job_inputs
from ml.jobs.follow import MARGIN_SECONDS, TERMINAL, outlived
from ml.jobs.sdk import sdk
from ml.jobs.trials import FAILED, Trial, elapsed
from ops.aws import is_missing
from ops.environment import Environment
from ops.waiting import Pause

SUFFIX = "-retry"

OnProgress = Callable[[str, int, int], None]
"""Called as on_progress(status, retries ended, retries in all)."""


def run(
    env: Environment,
    definition: dict[str, Any],
    trials: list[Trial],
    *,
    parallel: int,
    tags: list[dict[str, str]],
    on_progress: OnProgress,
) -> list[Trial]:
    """Repeat the failed trials, or follow those that an interrupted command has started. Returns the repeated ones.

    If no trial has succeeded, the cause is probably common to all: the first is repeated alone, and the others only if
    it succeeds.

    definition: the TrainingJobDefinition of the search, with the SDK's names.
    trials: the trials of the search.
    parallel: how many run at a time.
    """
    failed = [trial for trial in trials if trial.status == FAILED]
    if not failed:
        return []
    if len(failed) < len(trials):
        return _repeat(env, definition, failed, parallel, tags, on_progress)
    first = _repeat(env, definition, failed[:1], 1, tags, on_progress)
    if first[0].objective is None:
        return first
    return [*first, *_repeat(env, definition, failed[1:], parallel, tags, on_progress)]


def existing(env: Environment, trials: list[Trial]) -> list[Trial]:
    """Return the repeated trials so far."""
    found = [(trial, _describe(env, trial.name + SUFFIX)) for trial in trials if trial.status == FAILED]
    return [_repeated(trial, job) for trial, job in found if job is not None]


def _repeat(
    env: Environment,
    definition: dict[str, Any],
    failed: list[Trial],
    parallel: int,
    tags: list[dict[str, str]],
    on_progress: OnProgress,
) -> list[Trial]:
    """Repeat trials, so many at a time. Each has a time limit of its own."""
    jobs: dict[str, dict[str, Any]] = {}
    waves = -(-len(failed) // parallel)
    own_limit = waves * env.settings.training.max_runtime_seconds
    stop = f"./inv train{env.settings.flag} --stop"
    pause = Pause(
        limit=own_limit + MARGIN_SECONDS,
        on_timeout=lambda: outlived(", ".join(t.name + SUFFIX for t in failed), own_limit, stop),
    )
    while True:
        running = 0
        for trial in failed:
            name = trial.name + SUFFIX
            if name in jobs:
                continue
            job = _describe(env, name)
            if job is None and running < parallel:
                _create(env, definition, trial, tags)
                job = _describe(env, name)
            if job is not None and job["TrainingJobStatus"] in TERMINAL:
                jobs[name] = job
            elif job is not None:
                running += 1
        on_progress("repeating failed trials", len(jobs), len(failed))
        if len(jobs) == len(failed):
            return [_repeated(trial, jobs[trial.name + SUFFIX]) for trial in failed]
        pause()


def _create(env: Environment, definition: dict[str, Any], trial: Trial, tags: list[dict[str, str]]) -> None:
    tuned = {name: value for name, value in trial.hyperparameters.items() if not name.startswith("_")}
    shared = {name: value for name, value in definition.items() if name != "static_hyper_parameters"}
    request = {
        **shared,
        "training_job_name": trial.name + SUFFIX,
        "hyper_parameters": {**definition["static_hyper_parameters"], **tuned},
        "tags": tags,
    }
    job_inputs.create(
        lambda: sdk().TrainingJob.create(**request, session=env.session, region=env.settings.region)
    )


def _describe(env: Environment, name: str) -> dict[str, Any] | None:
    try:
        job: dict[str, Any] = env.client("sagemaker").describe_training_job(TrainingJobName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return job


def _repeated(trial: Trial, job: dict[str, Any]) -> Trial:
    status = job["TrainingJobStatus"]
    metrics = {metric["MetricName"]: metric["Value"] for metric in job.get("FinalMetricDataList", [])}
    start, end = job.get("TrainingStartTime"), job.get("TrainingEndTime")
    return Trial(
        hyperparameters=trial.hyperparameters,
        name=trial.name + SUFFIX,
        status=status,
        objective=metrics.get(job_inputs.OBJECTIVE) if status == "Completed" else None,
        start=start,
        end=end,
        elapsed=elapsed(start, end),
        failure=job.get("FailureReason", "") if status == FAILED else "",
        retry_of=trial.name,
    )
