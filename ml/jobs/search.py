"""The hyperparameter search, a SageMaker tuning job: started or resumed, followed, its result stored."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError
from pydantic import BaseModel

from ml.jobs import (
    data,
    features,
    job_inputs,
    names,
    retries,
    search_failures,
    trials,
    tuning_request,
    warm_start,
    weights,
)
from ml.jobs.data.manifest import Manifest
from ml.jobs.features import Features, FeaturesJob
from ml.jobs.follow import MARGIN_SECONDS, TERMINAL, outlived
from ml.jobs.submitter import as_submitter
from ml.jobs.trials import Trial
from ml.jobs.tuning_request import SearchInputs
from ops import s3
from ops.aws import is_missing
from ops.documents import UnreadableDocument, decode
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.waiting import Pause

RESULT = "results/tuning.json"  # the key of the latest result in the data bucket

OnProgress = Callable[[str, int, int], None]
"""Called as on_progress(status, trials ended, trials in all)."""


class TrialResult(BaseModel):
    """One trial of a search.

    hyperparameters: the tuned ones.
    objective: accuracy on the validation split, 0 to 1; None for a trial without a result.
    seconds: that it ran.
    billable_seconds, usd: what AWS bills at list prices; None if it is not known.
    start, end: as ISO 8601; None for a trial that has not started.
    failure: why it failed; empty if it did not.
    retry_of: name of the failed trial that it repeats.
    """

    name: str
    hyperparameters: dict[str, str]
    objective: float | None
    status: str
    seconds: float | None
    billable_seconds: float | None
    usd: float | None
    start: str | None
    end: str | None
    failure: str
    retry_of: str


class FeaturesResult(BaseModel):
    """What it saved that the features of the frozen backbone were computed once.

    job: the training job that computed them.
    seconds, usd: that it took with its start, and its cost at the list price.
    computing_seconds: that the computation itself took.
    reused: whether an earlier search had computed them.
    saved_seconds, saved_usd: the computation in every trial, less the job if it is of this search. Negative for a small
      data set, where the job's start takes longer.
    """

    job: str
    seconds: float
    computing_seconds: float
    usd: float | None
    reused: bool
    saved_seconds: float
    saved_usd: float | None


class SearchResult(BaseModel):
    """The result of a finished search.

    model: the settings of the network that it tuned.
    strategy: of the search.
    parents: tuning jobs that it started from.
    fixed: hyperparameters that all trials had.
    trials: the best first, with the repeated ones.
    features: None if each trial computed its own, or none.
    """

    tuning_job: str
    model: dict[str, str | int | bool]
    data_hash: str
    dataset: str
    best_training_job: str
    best_objective: float
    hyperparameters: dict[str, str]
    strategy: str = ""
    parents: list[str] = []
    fixed: dict[str, str] = {}
    trials: list[TrialResult] = []
    features: FeaturesResult | None = None


def run(
    env: Environment,
    *,
    again: bool = False,
    on_progress: OnProgress = lambda status, done, total: None,
    on_features: Callable[[str], None] = lambda text: None,
    before_start: Callable[[], None] = lambda: None,
) -> tuple[SearchResult, list[Trial], bool]:
    """Search, or resume the search for the same data, program, recipe and ranges.

    If the trials share the features of a frozen backbone, these are computed before. Trials that failed are repeated
    once, by `retries`.

    on_features: called with the status of the job that computes features.
    before_start: called before a new search is started.

    Returns the result, its trials with the repeated ones, and whether anything ran. Raises OperatorError if there is no
    data, or if no trial succeeds.
    """
    submitter = as_submitter(env)
    manifest = data.current(submitter)
    source = job_inputs.upload_source(submitter)
    name, job = _find(submitter, manifest, source, again)
    ran = job is None or job["status"] != "Completed"
    relation = "" if job else warm_start.relation(submitter, manifest, source)
    if job is None:
        before_start()
    computed = _features(submitter, manifest, source, name, job, on_features)
    inputs = SearchInputs(
        submitter,
        manifest,
        source,
        features=computed.uri if computed else "",
        parents=tuple(env.settings.tuning.warm_start.jobs),
        warm_start_type=relation,
    )
    if job is None:
        job_inputs.create(lambda: tuning_request.create(inputs, name))
    described = _follow(submitter, name, on_progress)
    found = trials.of_search(submitter, name)
    known = {trial.name for trial in retries.existing(submitter, found)}
    repeated = retries.run(
        submitter,
        tuning_request.trial_definition(inputs, name),
        found,
        parallel=env.settings.tuning.max_parallel_jobs,
        tags=job_inputs.tags(env.settings, manifest),
        on_progress=on_progress,
    )
    ran = ran or any(trial.name not in known for trial in repeated)
    best = _best(submitter, described, found, repeated)
    ended = trials.in_order(trials.with_costs(submitter, [*found, *repeated]))
    return _write_result(inputs, name, best, ended, computed), ended, ran


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
    tuning = settings.tuning
    digest = job_inputs.fingerprint(
        data=manifest.hash,
        source=source.digest,
        weights=weights.pinned(settings.model),
        tuning=tuning.model_dump(),
        hyperparameters=_fixed(env, manifest),
        image=job_inputs.training_image(settings),
    )
    return names.attempt(settings.prefix, digest, lambda n: _describe(env, n), again=again)


def _features(
    env: Environment,
    manifest: Manifest,
    source: job_inputs.Source,
    name: str,
    job: dict[str, Any] | None,
    on_status: Callable[[str], None],
) -> Features | None:
    """Return the features that the trials share; computed first for a new search. None if the trials share none."""
    if not features.shared(env.settings, env.settings.tuning.ranged):
        return None
    once = FeaturesJob(env, manifest)
    if job is None:
        return once.ensure(source, on_status=on_status)
    found = once.find()
    return replace(found, reused=False) if found else None  # an interrupted command may have computed them


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
        on_progress(f"{status}{_best_so_far(job)}", ended, env.settings.tuning.number_of_jobs)
        if status in TERMINAL:
            break
        pause()
    failed_trials = status == "Failed" and counts.get("NonRetryableError")
    if status != "Completed" and not failed_trials:
        stopped = f"it was stopped, or ran longer than tuning.max_runtime_seconds, {own_limit} s"
        reason = job.get("FailureReason") or (stopped if status == "Stopped" else "AWS gives no reason")
        raise OperatorError(search_failures.failed(env, name, status, reason, trials.of_search(env, name)))
    return job


def _best_so_far(job: dict[str, Any]) -> str:
    """Return the best objective of a running search, for its status."""
    best = job.get("BestTrainingJob", {}).get("FinalHyperParameterTuningJobObjectiveMetric")
    if best is None or job["HyperParameterTuningJobStatus"] in TERMINAL:
        return ""
    return f", best validation accuracy {best['Value']:.4f}"


def _best(env: Environment, job: dict[str, Any], found: list[Trial], repeated: list[Trial]) -> Trial:
    """Return the best trial. Raises OperatorError if none has an objective.

    job: the description of the search. Its best trial may be one of an earlier search with the same data and program.
    found: its trials.
    repeated: the failed ones that were run again.
    """
    name = job["HyperParameterTuningJobName"]
    candidates = [trial for trial in repeated if trial.objective is not None]
    identical = job.get("WarmStartConfig", {}).get("WarmStartType") == warm_start.IDENTICAL
    for key in ("BestTrainingJob", *(["OverallBestTrainingJob"] if identical else [])):
        if best := job.get(key):
            candidates.append(trials.of_summary(best))
    if candidates:
        return trials.in_order(candidates)[0]
    if job["HyperParameterTuningJobStatus"] == "Failed" or repeated:
        reason = job.get("FailureReason") or "AWS gives no reason"
        raise OperatorError(search_failures.failed(env, name, "Failed", reason, [*found, *repeated]))
    raise OperatorError(search_failures.without_objective(env, name, found))


def _write_result(
    inputs: SearchInputs, name: str, best: Trial, ended: list[Trial], computed: Features | None
) -> SearchResult:
    """Write the result of a search for the training and the report."""
    assert best.objective is not None
    env, manifest = inputs.env, inputs.manifest
    result = SearchResult(
        tuning_job=name,
        model=env.settings.model.model_dump(),
        data_hash=manifest.hash,
        dataset=manifest.dataset,
        best_training_job=best.name,
        best_objective=best.objective,
        hyperparameters=best.hyperparameters,
        strategy=env.settings.tuning.strategy,
        parents=list(inputs.parents),
        fixed={k: v for k, v in _fixed(env, manifest).items() if k not in best.hyperparameters},
        trials=[_trial_result(trial) for trial in ended],
        features=_features_result(env, name, computed, len(ended)) if computed else None,
    )
    body = json.dumps(result.model_dump(), indent=2, sort_keys=True).encode()
    s3.put(env, RESULT, body, ContentType="application/json")
    return result


def _trial_result(trial: Trial) -> TrialResult:
    return TrialResult(
        name=trial.name,
        hyperparameters={k: v for k, v in trial.hyperparameters.items() if not k.startswith("_")},
        objective=trial.objective,
        status=trial.status,
        seconds=trial.elapsed,
        billable_seconds=trial.billable_seconds,
        usd=trial.usd,
        start=trial.start.isoformat() if trial.start else None,
        end=trial.end.isoformat() if trial.end else None,
        failure=trial.failure,
        retry_of=trial.retry_of,
    )


def _features_result(env: Environment, name: str, computed: Features, jobs: int) -> FeaturesResult | None:
    """Return what the shared features saved. jobs: trials that used them."""
    with contextlib.suppress(UnreadableDocument):
        before = find_result(env)
        if before and before.tuning_job == name:
            return before.features  # written when the search ended
    saved = jobs * computed.computing_seconds - (0 if computed.reused else computed.seconds)
    return FeaturesResult(
        job=computed.job,
        seconds=computed.seconds,
        computing_seconds=computed.computing_seconds,
        usd=computed.usd,
        reused=computed.reused,
        saved_seconds=round(saved, 1),
        saved_usd=round(saved * computed.usd / computed.seconds, 6)
        if computed.usd and computed.seconds
        else None,
    )


def _fixed(env: Environment, manifest: Manifest) -> dict[str, str]:
    return job_inputs.hyperparameters(env.settings, env.settings.tuning.epochs, manifest)


def _listed(model: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in model.items())
