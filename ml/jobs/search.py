"""The hyperparameter search, a SageMaker tuning job: request, progress, trials, result."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError
from pydantic import BaseModel

from ml.jobs import data, job_inputs, names, retries, trials
from ml.jobs.data.manifest import Manifest
from ml.jobs.follow import LOG_GROUP, MARGIN_SECONDS, TERMINAL, outlived
from ml.jobs.sdk import sdk
from ml.jobs.submitter import as_submitter
from ml.jobs.trials import FAILED, Trial
from ops import logs, s3
from ops.aws import is_missing
from ops.documents import decode
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.settings.jobs import TuningSettings
from ops.text import sentence
from ops.waiting import Pause

RESULT = "results/tuning.json"  # the key of the latest result in the data bucket
MESSAGE = 2000  # characters about a failed trial

OnProgress = Callable[[str, int, int], None]
"""Called as on_progress(status, trials ended, trials in all)."""


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

    Trials that failed are repeated once, by `retries`.

    before_start: called before a new search is started.

    Returns the result, its trials with the repeated ones, and whether anything ran. Raises OperatorError if there is no
    data, or if no trial succeeds.
    """
    submitter = as_submitter(env)
    manifest = data.current(submitter)
    source = job_inputs.upload_source(submitter)
    name, job = _find(submitter, manifest, source, again)
    ran = job is None or job["status"] != "Completed"
    if job is None:
        before_start()
        job_inputs.create(lambda: _create(submitter, manifest, source, name))
    described = _follow(submitter, name, on_progress)
    found = trials.of_search(submitter, name)
    known = {trial.name for trial in retries.existing(submitter, found)}
    repeated = retries.run(
        submitter,
        _trial_definition(submitter, manifest, source),
        found,
        parallel=env.settings.tuning.max_parallel_jobs,
        tags=job_inputs.tags(env.settings, manifest),
        on_progress=on_progress,
    )
    ran = ran or any(trial.name not in known for trial in repeated)
    best = _best(submitter, described, found, repeated)
    return _write_result(submitter, manifest, name, best), trials.in_order([*found, *repeated]), ran


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
    """Return the latest result. Raises Refused if there is none, or if data or network have changed since."""
    settings = env.settings
    command = f"run ./inv tune{settings.flag}"
    result = find_result(env)
    if result is None:
        raise Refused(f"There are no tuned hyperparameters yet: {command}.")
    if result.data_hash != data.current(env).hash:
        raise Refused(f"The hyperparameters of {result.tuning_job} were tuned on other data: {command}.")
    if result.model != (model := settings.model.model_dump()):
        raise Refused(
            f"The hyperparameters of {result.tuning_job} were tuned for {_listed(result.model)}, not for "
            f"{_listed(model)}: {command}."
        )
    return result


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
        **job_inputs.hyperparameters(settings, tuning.epochs, manifest),
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
        "input_data_config": job_inputs.channels(env, source, manifest, ["train", "valid"]),
        "output_data_config": {
            "s3_output_path": str(s3.in_data_bucket(env, "tuning")),
            "kms_key_id": foundation.kms_key_arn,
        },
        "resource_config": job_inputs.resources(env, 1),
        **job_inputs.network_settings(env, 1),
        "stopping_condition": {"max_runtime_in_seconds": settings.training.max_runtime_seconds},
        "retry_strategy": job_inputs.RETRY_STRATEGY,
    }


def _describe(env: Environment, name: str) -> dict[str, Any] | None:
    try:
        job = env.client("sagemaker").describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    status, usable = job["HyperParameterTuningJobStatus"], "BestTrainingJob" in job
    if status == "Failed" and _is_rescued(env, name):
        status, usable = "Completed", True
    return {"status": status, "usable": usable, **job}


def _is_rescued(env: Environment, name: str) -> bool:
    """Return whether a repeated trial of a failed search has succeeded, or is running."""
    repeated = retries.existing(env, trials.of_search(env, name))
    return any(trial.objective is not None or trial.status not in TERMINAL for trial in repeated)


def _follow(env: Environment, name: str, on_progress: OnProgress) -> dict[str, Any]:
    """Wait until the tuning job ends. Returns its description.

    Raises OperatorError if it was stopped, failed before its trials, or outlives its own limit.
    """
    sagemaker, own_limit = env.client("sagemaker"), env.settings.tuning.max_runtime_seconds
    stop = f"./inv tune{env.settings.flag} --stop"
    pause = Pause(limit=own_limit + MARGIN_SECONDS, on_timeout=lambda: outlived(name, own_limit, stop))
    while True:
        job: dict[str, Any] = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        status, counts = job["HyperParameterTuningJobStatus"], job["TrainingJobStatusCounters"]
        ended = sum(counts.get(kind, 0) for kind in ("Completed", "NonRetryableError", "Stopped"))
        on_progress(status, ended, env.settings.tuning.max_jobs)
        if status in TERMINAL:
            break
        pause()
    failed_trials = status == "Failed" and counts.get("NonRetryableError")
    if status != "Completed" and not failed_trials:
        stopped = f"it was stopped, or ran longer than tuning.max_runtime_seconds, {own_limit} s"
        reason = job.get("FailureReason") or (stopped if status == "Stopped" else "AWS gives no reason")
        raise OperatorError(_failure(env, name, status, reason, trials.of_search(env, name)))
    return job


def _failure(env: Environment, name: str, status: str, reason: str, found: Sequence[Trial]) -> str:
    """Return the sentences about a failed search: its reason, that of its first failed trial, and where to read on.

    found: its trials, with the repeated ones.
    """
    failed = next((trial for trial in trials.in_time(found) if trial.status == FAILED), None)
    first = f" {_first_failure(env, failed, found)}" if failed else ""
    stream = failed.name if failed else found[0].name if found else name
    return (
        f"The tuning job {name} ended as {status}: {sentence(reason)}{first} The logs of its trials are in {LOG_GROUP}, "
        f"streams {stream}/…. Run ./inv tune{env.settings.flag} to try again."
    )


def _first_failure(env: Environment, failed: Trial, found: Sequence[Trial]) -> str:
    """Return the sentence about the first failed trial: hyperparameters, reason or the end of its log, and its repetition."""
    reason = logs.with_last_lines(env, failed.failure, LOG_GROUP, f"{failed.name}/")
    again = next((trial for trial in found if trial.retry_of == failed.name), None)
    if again is None:
        repeated = ""
    elif again.failure in ("", failed.failure):
        repeated = f"; repeated as {again.name}, it ended as {again.status}"
        repeated += " for the same reason" if again.failure else ""
    else:
        why = logs.with_last_lines(env, again.failure, LOG_GROUP, f"{again.name}/")
        repeated = f"; repeated as {again.name}: {why}"
    return sentence(f"Its first failed trial, {failed.name} ({failed.settings}): {reason}{repeated}", MESSAGE)


def _best(env: Environment, job: dict[str, Any], found: list[Trial], repeated: list[Trial]) -> Trial:
    """Return the best trial. Raises OperatorError if none has an objective.

    job: the description of the search.
    found: its trials.
    repeated: the failed ones that were run again.
    """
    name = job["HyperParameterTuningJobName"]
    candidates = [trial for trial in repeated if trial.objective is not None]
    if best := job.get("BestTrainingJob"):
        candidates.append(trials.of_summary(best))
    if candidates:
        return trials.in_order(candidates)[0]
    if job["HyperParameterTuningJobStatus"] == "Failed" or repeated:
        reason = job.get("FailureReason") or "AWS gives no reason"
        raise OperatorError(_failure(env, name, "Failed", reason, [*found, *repeated]))
    ended = ", ".join(f"{trial.name} {trial.status}" for trial in trials.in_time(found)) or "it ran none"
    lines = logs.quoted(logs.last_lines(env, LOG_GROUP, f"{found[0].name}/")) if found else "there is no log"
    raise OperatorError(
        f"No trial of {name} reported {job_inputs.OBJECTIVE} ({ended}); {lines}. Read their logs in {LOG_GROUP}, then run "
        f"./inv tune{env.settings.flag} --again."
    )


def _write_result(env: Environment, manifest: Manifest, name: str, best: Trial) -> SearchResult:
    """Write the result of a search for the training."""
    assert best.objective is not None
    result = SearchResult(
        tuning_job=name,
        model=env.settings.model.model_dump(),
        data_hash=manifest.hash,
        dataset=manifest.dataset,
        best_training_job=best.name,
        best_objective=best.objective,
        hyperparameters=best.hyperparameters,
    )
    body = json.dumps(result.model_dump(), indent=2, sort_keys=True).encode()
    s3.put(env, RESULT, body, ContentType="application/json")
    return result


def _listed(model: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in model.items())
