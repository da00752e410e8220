"""Read everything that the report shows from AWS."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from pydantic import BaseModel

from ml.jobs import data, registry, search
from ml.jobs.data import Manifest
from ml.jobs.launchers import jobs_in_s3
from ml.jobs.submitter import as_submitter
from ml.jobs.trials import Trial
from ops import live_endpoint, s3
from ops.aws import is_missing
from ops.documents import UnreadableDocument, decode
from ops.environment import Environment
from ops.errors import OperatorError
from pipeline import stage_times
from pipeline.report import comparison
from pipeline.report.documents import Evaluation, History, Problems
from pipeline.report.inputs import Endpoint, Inputs, Model, Search
from pipeline.report.thumbnails import Thumbnails

VERSIONS = 20  # the newest ones, whose documents are read
_WORKERS = 8

Document = TypeVar("Document")


def collect(env: Environment, number: int | None = None, compared: tuple[int, int] | None = None) -> Inputs:
    """Return everything that the report shows.

    number: the version that it is about; by default the newest.
    compared: the two versions whose classes are compared; by default that version and the one before it.

    Raises OperatorError if there is no foundation or no data yet, or no such version.
    """
    manifest = data.current(env)
    found = registry.versions(env)
    wanted = [registry.find(env, n).number for n in (number, *(compared or ())) if n is not None]
    models = _models(env, [v for at, v in enumerate(found) if at < VERSIONS or v.number in wanted])
    by_number = {model.version.number: model for model in models}
    chosen = by_number[number] if number is not None else models[0] if models else None
    problems, no_problems = _problems(env, manifest)
    searched, no_search = _search(env)
    return Inputs(
        settings=env.settings,
        made=datetime.now(timezone.utc),
        manifest=manifest,
        thumbnails=Thumbnails(env),
        uploaded=_modified(env, f"{data.PREFIX}/{manifest.dataset}/manifest.json"),
        problems=problems,
        no_problems=no_problems,
        search=searched,
        no_search=no_search,
        models=models,
        chosen=chosen,
        compared=_pair(models, chosen, [by_number[n] for n in compared or ()]),
        endpoints=_endpoints(env),
        times=stage_times.read(env),
        launchers=comparison.of_versions(found, manifest),
    )


def _pair(
    models: Sequence[Model], chosen: Model | None, named: Sequence[Model]
) -> tuple[Model, Model] | None:
    """Return the two models to compare, the older one first; None if there are not two."""
    if named:
        first, second = sorted(named, key=lambda model: model.version.number)
        return first, second
    if chosen is None:
        return None
    older = [model for model in models if model.version.number < chosen.version.number]
    return (older[0], chosen) if older else None


def _models(env: Environment, versions: Sequence[registry.Version]) -> list[Model]:
    with ThreadPoolExecutor(_WORKERS) as pool:
        return list(pool.map(lambda version: _model(env, version), versions))


def _model(env: Environment, version: registry.Version) -> Model:
    job = version.lineage.get("training_job", "")
    if not job:
        return Model(version)
    again = f"train again with ./inv train{env.settings.flag} --again"
    evaluation, no_evaluation = _document(env, f"training/{job}/evaluation.json", Evaluation, again)
    history, no_history = _document(env, f"training/{job}/history.json", History, again)
    hyperparameters, image = _job(env, version.lineage.get("launcher", "sagemaker"), job)
    return Model(
        version,
        evaluation,
        history=history.epochs if history else [],
        hyperparameters=hyperparameters,
        image=image,
        remarks=[remark for remark in (no_evaluation, no_history) if remark],
    )


def _job(env: Environment, launcher: str, job: str) -> tuple[dict[str, str], str]:
    """Return the hyperparameters and the image of a training job; empty if AWS no longer has its description."""
    image = ""
    if launcher == "sagemaker":
        described = _described(env, "describe_training_job", TrainingJobName=job) or {}
        found: dict[str, str] = described.get("HyperParameters", {})
        image = described.get("AlgorithmSpecification", {}).get("TrainingImage", "")
    else:
        written, _ = _document(env, f"{jobs_in_s3.folder(job)}job.json", _Job, "")
        found = written.hyperparameters if written else {}
    return {name: value for name, value in found.items() if not name.startswith(("sagemaker_", "_"))}, image


class _Job(BaseModel):
    hyperparameters: dict[str, str] = {}


def _problems(env: Environment, manifest: Manifest) -> tuple[Problems | None, str]:
    command = f"./inv data{env.settings.flag}"
    found, damaged = _document(
        env, f"{data.PREFIX}/{manifest.dataset}/problems.json", Problems, f"run {command}"
    )
    if found is None and not damaged:
        damaged = f"The data set was not searched for near-duplicates: {command} does that and uploads what it finds."
    return found, damaged


def _search(env: Environment) -> tuple[Search | None, str]:
    """Return the search of the current data and network, or why there is none."""
    try:
        result = search.latest(env)
    except OperatorError as error:
        return None, str(error)
    job = _described(
        env, "describe_hyper_parameter_tuning_job", HyperParameterTuningJobName=result.tuning_job
    )
    return Search(
        result=result,
        trials=[_trial(trial) for trial in result.trials],
        start=(job or {}).get("CreationTime"),
        end=(job or {}).get("HyperParameterTuningEndTime"),
    ), ""


def _trial(found: search.TrialResult) -> Trial:
    return Trial(
        hyperparameters=found.hyperparameters,
        name=found.name,
        status=found.status,
        objective=found.objective,
        start=_time(found.start),
        end=_time(found.end),
        elapsed=found.seconds,
        failure=found.failure,
        retry_of=found.retry_of,
        billable_seconds=found.billable_seconds,
        usd=found.usd,
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _endpoints(env: Environment) -> list[Endpoint]:
    found = ((name, env.outputs.find_serving(name)) for name in env.outputs.endpoints())
    return [Endpoint(outputs, live_endpoint.find(env, name)) for name, outputs in found if outputs]


def _described(env: Environment, operation: str, **request: str) -> dict[str, Any] | None:
    """Return SageMaker's description of a job; None if there is no such job."""
    try:
        answer: dict[str, Any] = getattr(as_submitter(env).client("sagemaker"), operation)(**request)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return answer


def _modified(env: Environment, key: str) -> datetime | None:
    """Return when an object was written."""
    uri = s3.in_data_bucket(env, key)
    try:
        answer: dict[str, Any] = env.client("s3").head_object(Bucket=uri.bucket, Key=uri.key)
    except ClientError:
        return None
    modified: datetime = answer["LastModified"]
    return modified


def _document(env: Environment, key: str, kind: type[Document], remedy: str) -> tuple[Document | None, str]:
    """Return a document, or None and the reason: a sentence for a damaged one, nothing for a missing one."""
    uri = s3.in_data_bucket(env, key)
    content = s3.get(env, uri)
    if content is None:
        return None, ""
    try:
        return decode(kind, content, what=str(uri), remedy=remedy), ""
    except UnreadableDocument as error:
        return None, str(error)
