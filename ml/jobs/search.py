"""The hyperparameter search, a SageMaker tuning job: request, progress, trials, result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from pydantic import BaseModel

from ml.jobs import data, job_inputs, names
from ml.jobs.data.manifest import Manifest
from ml.jobs.follow import LOG_GROUP, TERMINAL
from ml.jobs.sdk import sdk
from ml.jobs.submitter import as_submitter
from ops import s3
from ops.documents import decode
from ops.environment import Environment
from ops.errors import OperatorError
from ops.settings.jobs import TuningSettings
from ops.text import sentence
from ops.waiting import Pause

RESULT = "results/tuning.json"  # the key of the latest result in the data bucket

OnProgress = Callable[[str, int, int], None]
"""Called as on_progress(status, trials ended, trials in all)."""


@dataclass(frozen=True)
class Trial:
    """One training job of a search.

    objective: accuracy on the validation split, 0 to 1.
    elapsed: seconds.
    """

    hyperparameters: dict[str, str]
    name: str
    status: str
    objective: float | None
    start: datetime | None
    end: datetime | None
    elapsed: float | None


class SearchResult(BaseModel):
    """The result of a finished search. model: the settings of the network that it tuned."""

    tuning_job: str
    model: dict[str, str | int | bool]
    data_hash: str
    dataset: str
    best_training_job: str
    best_objective: float
    hyperparameters: dict[str, str]


def run(
    env: Environment,
    *,
    again: bool = False,
    on_progress: OnProgress = lambda status, done, total: None,
    before_start: Callable[[], None] = lambda: None,
) -> tuple[SearchResult, list[Trial], bool]:
    """Search, or resume the search for the same data, program and ranges.

    before_start: called before a new search is started.

    Returns the result, its trials, and whether anything ran. Raises OperatorError if there is no data or the search
    fails.
    """
    submitter = as_submitter(env)
    manifest = data.current(submitter)
    source = job_inputs.upload_source(submitter)
    name, job = _find(submitter, manifest, source, again)
    ran = job is None or job["status"] != "Completed"
    if job is None:
        before_start()
        job_inputs.create(lambda: _create(submitter, manifest, source, name))
    if ran:
        _follow(submitter, name, on_progress)
    return _finish(submitter, manifest, name), trials(submitter, name), ran


def is_due(env: Environment) -> bool:
    """Return whether `run` would start a new search. Raises OperatorError if there is no data."""
    submitter = as_submitter(env)
    _, job = _find(submitter, data.current(submitter), job_inputs.upload_source(submitter), again=False)
    return job is None


def _find(
    env: Environment, manifest: Manifest, source: job_inputs.Source, again: bool
) -> tuple[str, dict[str, Any] | None]:
    """Return the name of the search for these inputs, and its description if it is running or has succeeded."""
    settings = env.settings
    digest = job_inputs.fingerprint(
        data=manifest.hash,
        source=source.digest,
        tuning=settings.tuning.model_dump(),
        model=settings.model.model_dump(),
        image=job_inputs.training_image(settings),
        weight_decay=settings.training.weight_decay,
        seed=settings.training.seed,
    )
    return names.attempt(settings.prefix, digest, lambda n: _describe(env, n), again=again)


def find_result(env: Environment) -> SearchResult | None:
    """Return the latest result, whatever it was tuned on; None if there is none.

    Raises UnreadableDocument if another version of this repository wrote it.
    """
    uri = s3.in_data_bucket(env, RESULT)
    if (content := s3.get(env, uri)) is None:
        return None
    return decode(
        SearchResult, content, what=f"The tuning result {uri}", remedy=f"run ./inv tune{env.settings.flag}"
    )


def latest(env: Environment) -> SearchResult:
    """Return the latest result. Raises OperatorError if there is none, or if data or network have changed since."""
    settings = env.settings
    command = f"run ./inv tune{settings.flag}"
    result = find_result(env)
    if result is None:
        raise OperatorError(f"There are no tuned hyperparameters yet: {command}.")
    if result.data_hash != data.current(env).hash:
        raise OperatorError(
            f"The hyperparameters of {result.tuning_job} were tuned on other data: {command}."
        )
    if result.model != (model := settings.model.model_dump()):
        raise OperatorError(
            f"The hyperparameters of {result.tuning_job} were tuned for {_listed(result.model)}, not for "
            f"{_listed(model)}: {command}."
        )
    return result


def trials(env: Environment, tuning_job: str) -> list[Trial]:
    """Return the trials of a search: the best first, those without an objective last."""
    pages = env.client("sagemaker").get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    found = [
        _trial(summary)
        for page in pages.paginate(HyperParameterTuningJobName=tuning_job)
        for summary in page["TrainingJobSummaries"]
    ]
    return sorted(found, key=lambda t: (t.objective is None, -(t.objective or 0.0), t.name))


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


def _create(env: Environment, manifest: Manifest, source: job_inputs.Source, name: str) -> None:
    settings = env.settings
    tuning = settings.tuning
    sdk().HyperParameterTuningJob.create(
        hyper_parameter_tuning_job_name=name,
        hyper_parameter_tuning_job_config={
            "strategy": tuning.strategy,
            "hyper_parameter_tuning_job_objective": {
                "type": "Maximize",
                "metric_name": job_inputs.OBJECTIVE,
            },
            "resource_limits": {
                "max_number_of_training_jobs": tuning.max_jobs,
                "max_parallel_training_jobs": tuning.max_parallel_jobs,
                "max_runtime_in_seconds": tuning.max_runtime_seconds,
            },
            "parameter_ranges": parameter_ranges(tuning),
            "random_seed": tuning.seed,
        },
        training_job_definition=_trial_definition(env, manifest, source),
        tags=job_inputs.tags(settings, manifest),
        session=env.session,
        region=settings.region,
    )


def _trial_definition(env: Environment, manifest: Manifest, source: job_inputs.Source) -> dict[str, Any]:
    settings, foundation = env.settings, env.outputs.foundation
    tuning = settings.tuning
    ranged = {*tuning.continuous, *tuning.integer, *tuning.categorical}
    static = {
        **job_inputs.hyperparameters(settings, tuning.epochs),
        **job_inputs.toolkit_parameters(settings),
    }
    return {
        "static_hyper_parameters": {k: v for k, v in static.items() if k not in ranged},
        "algorithm_specification": {
            "training_image": job_inputs.training_image(settings),
            "training_input_mode": "File",
            "metric_definitions": job_inputs.metric_definitions(),
        },
        "role_arn": foundation.training_role_arn,
        "input_data_config": job_inputs.channels(env, source, manifest.dataset, ["train", "valid"]),
        "output_data_config": {
            "s3_output_path": str(s3.in_data_bucket(env, "tuning")),
            "kms_key_id": foundation.kms_key_arn,
        },
        "resource_config": job_inputs.resources(env, 1),
        **job_inputs.network_settings(env, 1),
        "stopping_condition": {"max_runtime_in_seconds": settings.training.max_runtime_seconds},
    }


def _describe(env: Environment, name: str) -> dict[str, Any] | None:
    try:
        job = env.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    except ClientError as error:
        if job_inputs.is_missing(error):
            return None
        raise
    return {"status": job["HyperParameterTuningJobStatus"], "usable": "BestTrainingJob" in job, **job}


def _follow(env: Environment, name: str, on_progress: OnProgress) -> None:
    """Wait until the tuning job ends, which its own time limit ensures. Raises OperatorError if it fails."""
    sagemaker = env.client("sagemaker")
    pause = Pause()
    while True:
        job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        status, counts = job["HyperParameterTuningJobStatus"], job["TrainingJobStatusCounters"]
        ended = sum(counts.get(kind, 0) for kind in ("Completed", "NonRetryableError", "Stopped"))
        on_progress(status, ended, env.settings.tuning.max_jobs)
        if status in TERMINAL:
            break
        pause()
    if status != "Completed":
        reason = sentence(job.get("FailureReason") or "it was stopped")
        stream = next((t.name for t in trials(env, name)), name)
        raise OperatorError(
            f"The tuning job {name} ended as {status}: {reason} The logs of its trials are in {LOG_GROUP}, streams "
            f"{stream}/…. Run ./inv tune{env.settings.flag} to try again."
        )


def _finish(env: Environment, manifest: Manifest, name: str) -> SearchResult:
    """Write the result of a completed search for the training."""
    job = env.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    best = job.get("BestTrainingJob")
    if not best:
        raise OperatorError(
            f"No trial of {name} reported {job_inputs.OBJECTIVE}: read their logs in {LOG_GROUP}."
        )
    result = SearchResult(
        tuning_job=name,
        model=env.settings.model.model_dump(),
        data_hash=manifest.hash,
        dataset=manifest.dataset,
        best_training_job=best["TrainingJobName"],
        best_objective=best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
        hyperparameters=best["TunedHyperParameters"],
    )
    body = json.dumps(result.model_dump(), indent=2, sort_keys=True).encode()
    s3.put(env, RESULT, body, ContentType="application/json")
    return result


def _listed(model: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in model.items())


def _trial(summary: dict[str, Any]) -> Trial:
    start, end = summary.get("TrainingStartTime"), summary.get("TrainingEndTime")
    objective = summary.get("FinalHyperParameterTuningJobObjectiveMetric")
    return Trial(
        hyperparameters=summary["TunedHyperParameters"],
        name=summary["TrainingJobName"],
        status=summary["TrainingJobStatus"],
        objective=objective["Value"] if objective else None,
        start=start,
        end=end,
        elapsed=(end - start).total_seconds() if start and end else None,
    )
