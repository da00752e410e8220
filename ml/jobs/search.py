"""The hyperparameter tuning job: request, progress, the table of trials, the hand-over of the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from ml.jobs import data, names
from ml.jobs import job_inputs as program
from ml.jobs.follow import TERMINAL, pauses
from ml.jobs.sdk import sdk
from ops import outputs as handover
from ops.aws import acting_as, client, session
from ops.errors import OperatorError
from ops.outputs import Foundation
from ops.settings import Settings
from ops.settings.jobs import TuningSettings

HANDOVER = "tuning"


@dataclass(frozen=True)
class Trial:
    """One training job of the search. objective: accuracy on the validation split, 0 to 1. elapsed: seconds."""

    hyperparameters: dict[str, str]
    name: str
    status: str
    objective: float | None
    start: datetime | None
    end: datetime | None
    elapsed: float | None


@dataclass(frozen=True)
class Result:
    """A finished search. model: the settings of the network that it tuned."""

    tuning_job: str
    model: dict[str, str | int | bool]
    data_hash: str
    dataset: str
    best_training_job: str
    best_objective: float
    hyperparameters: dict[str, str]


def run(
    settings: Settings,
    *,
    again: bool = False,
    on_progress: Callable[[str, int, int], None] = lambda status, done, total: None,
) -> tuple[Result, list[Trial], bool]:
    """Search, or take up a search that is under way or done for the same data, program and ranges.

    on_progress(status, trials ended, trials in all). Returns the result, its trials, and whether anything ran.
    Raises OperatorError if there is no data, or the search fails.
    """
    foundation = handover.foundation(settings)
    with acting_as(foundation.tuning_role_arn):
        return _run(settings, foundation, again, on_progress)


def _run(
    settings: Settings, foundation: Foundation, again: bool, on_progress: Callable[[str, int, int], None]
) -> tuple[Result, list[Trial], bool]:
    manifest = data.current(foundation.bucket, client("s3", settings.region), settings.environment)
    source = program.upload_source(settings, foundation)
    digest = program.fingerprint(
        data=manifest.hash,
        source=source.digest,
        tuning=settings.tuning.model_dump(),
        model=settings.model.model_dump(),
        image=program.training_image(settings),
        weight_decay=settings.training.weight_decay,
        seed=settings.training.seed,
    )
    name, job = names.attempt(settings.prefix, digest, lambda n: _describe(settings, n), again=again)
    if job is None:
        program.with_fresh_role(lambda: _create(settings, foundation, manifest, source, name))
    elif job["status"] == "Completed":
        return _finish(settings, foundation, manifest, name), trials(settings, name), False
    _follow(settings, name, on_progress)
    return _finish(settings, foundation, manifest, name), trials(settings, name), True


def latest(settings: Settings, foundation: Foundation) -> Result:
    """The result of the last search. Raises OperatorError if there is none, or if the data or the network has changed since."""
    found = handover.read(settings, foundation.bucket, HANDOVER)
    todo = f"run ./inv tune{settings.flag}"
    if found is None:
        raise OperatorError(f"There are no tuned hyperparameters yet: {todo}.")
    try:
        result = Result(**found)
    except TypeError as error:
        raise OperatorError(
            f"The tuned hyperparameters were left by another version of this repository: {todo}."
        ) from error
    now = data.current(foundation.bucket, client("s3", settings.region), settings.environment)
    if result.data_hash != now.hash:
        raise OperatorError(f"The hyperparameters of {result.tuning_job} were tuned on other data: {todo}.")
    if result.model != (model := settings.model.model_dump()):
        raise OperatorError(
            f"The hyperparameters of {result.tuning_job} were tuned for {_named(result.model)}, not for {_named(model)}: "
            f"{todo}."
        )
    return result


def _named(model: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in model.items())


def trials(settings: Settings, tuning_job: str) -> list[Trial]:
    """The trials of a search, best first, those without an objective last."""
    pages = client("sagemaker", settings.region).get_paginator(
        "list_training_jobs_for_hyper_parameter_tuning_job"
    )
    found = [
        _trial(summary)
        for page in pages.paginate(HyperParameterTuningJobName=tuning_job)
        for summary in page["TrainingJobSummaries"]
    ]
    return sorted(found, key=lambda t: (t.objective is None, -(t.objective or 0.0), t.name))


def parameter_ranges(tuning: TuningSettings) -> dict:
    """The ranges as the API takes them."""
    numeric = {
        f"{kind}_parameter_ranges": [
            {"name": name, "min_value": str(r.min), "max_value": str(r.max), "scaling_type": r.scaling}
            for name, r in ranges.items()
        ]
        for kind, ranges in (("continuous", tuning.continuous), ("integer", tuning.integer))
    }
    categorical = [{"name": name, "values": values} for name, values in tuning.categorical.items()]
    return {**numeric, "categorical_parameter_ranges": categorical}


def _create(settings: Settings, foundation: Foundation, manifest, source: program.Source, name: str) -> None:
    tuning = settings.tuning
    ranged = {*tuning.continuous, *tuning.integer, *tuning.categorical}
    static = {**program.hyperparameters(settings, tuning.epochs), **program.toolkit_parameters(settings)}
    sdk().HyperParameterTuningJob.create(
        hyper_parameter_tuning_job_name=name,
        hyper_parameter_tuning_job_config={
            "strategy": tuning.strategy,
            "hyper_parameter_tuning_job_objective": {"type": "Maximize", "metric_name": program.OBJECTIVE},
            "resource_limits": {
                "max_number_of_training_jobs": tuning.max_jobs,
                "max_parallel_training_jobs": tuning.max_parallel_jobs,
                "max_runtime_in_seconds": tuning.max_runtime_seconds,
            },
            "parameter_ranges": parameter_ranges(tuning),
            "random_seed": tuning.seed,
        },
        training_job_definition={
            "static_hyper_parameters": {k: v for k, v in static.items() if k not in ranged},
            "algorithm_specification": {
                "training_image": program.training_image(settings),
                "training_input_mode": "File",
                "metric_definitions": program.metric_definitions(),
            },
            "role_arn": foundation.training_role_arn,
            "input_data_config": program.channels(
                settings, foundation, source, manifest.dataset, ["train", "valid"]
            ),
            "output_data_config": {
                "s3_output_path": f"s3://{foundation.bucket}/tuning",
                "kms_key_id": foundation.kms_key_arn,
            },
            "resource_config": program.resources(settings, foundation, 1),
            **program.confinement(settings, foundation, 1),
            "stopping_condition": {"max_runtime_in_seconds": settings.training.max_runtime_seconds},
        },
        tags=program.tags(settings, manifest),
        session=session(settings.region),
        region=settings.region,
    )


def _describe(settings: Settings, name: str) -> dict | None:
    try:
        job = client("sagemaker", settings.region).describe_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=name
        )
    except ClientError as error:
        if program.is_missing(error):
            return None
        raise
    return {"status": job["HyperParameterTuningJobStatus"], "usable": "BestTrainingJob" in job, **job}


def _follow(settings: Settings, name: str, on_progress: Callable[[str, int, int], None]) -> None:
    sagemaker = client("sagemaker", settings.region)
    for _ in pauses():
        job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        status, counts = job["HyperParameterTuningJobStatus"], job["TrainingJobStatusCounters"]
        ended = sum(counts.get(kind, 0) for kind in ("Completed", "NonRetryableError", "Stopped"))
        on_progress(status, ended, settings.tuning.max_jobs)
        if status in TERMINAL:
            break
    if status != "Completed":
        reason = job.get("FailureReason", "it was stopped")
        log = next((t.name for t in trials(settings, name)), name)
        raise OperatorError(
            f"The tuning job {name} ended as {status}: {reason} The log of its trials is in "
            f"/aws/sagemaker/TrainingJobs, streams {log}/…; run ./inv tune{settings.flag} to try again."
        )


def _finish(settings: Settings, foundation: Foundation, manifest, name: str) -> Result:
    job = client("sagemaker", settings.region).describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name
    )
    best = job.get("BestTrainingJob")
    if not best:
        raise OperatorError(f"No trial of {name} reported {program.OBJECTIVE}: look at their logs.")
    result = Result(
        tuning_job=name,
        model=settings.model.model_dump(),
        data_hash=manifest.hash,
        dataset=manifest.dataset,
        best_training_job=best["TrainingJobName"],
        best_objective=best["FinalHyperParameterTuningJobObjectiveMetric"]["Value"],
        hyperparameters=best["TunedHyperParameters"],
    )
    handover.write(settings, foundation, HANDOVER, asdict(result))
    return result


def _trial(summary: dict) -> Trial:
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
