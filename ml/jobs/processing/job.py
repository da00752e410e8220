"""Run a data job: find the one that is running or start one, follow it, return what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ml.jobs import follow, job_inputs, running
from ml.jobs.data.stage import Result
from ml.jobs.processing import sources, submission
from ml.jobs.processing.documents import Answer, Options, answer_uri
from ml.jobs.submitter import as_submitter
from ops import logs, s3
from ops.console import Progress
from ops.documents import decode
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.facts.prices import hourly
from ops.settings import Settings
from ops.text import sentence

__all__ = ["LOG_GROUP", "DataJob", "Options", "prefix", "run", "with_instance_type"]

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
MESSAGE = 1600  # characters of a failure's reason


@dataclass(frozen=True)
class DataJob:
    """A data job that succeeded.

    seconds: from its start to its end, which AWS bills.
    usd: its cost at the list price; None if it is not known.
    """

    name: str
    result: Result
    seconds: float
    usd: float | None


def prefix(settings: Settings) -> str:
    """Return the start of the names of data jobs."""
    return f"{settings.prefix}-data"


def with_instance_type(env: Environment, instance_type: str | None) -> Environment:
    """Return the environment with another instance type for data jobs, if one is given."""
    if instance_type is None:
        return env
    chosen = env.settings.data.processing.model_copy(update={"instance_type": instance_type})
    data = env.settings.data.model_copy(update={"processing": chosen})
    changed = Environment(env.settings.model_copy(update={"data": data}), env.session)
    changed.outputs = env.outputs
    return changed


def run(
    env: Environment,
    options: Options,
    *,
    on_status: Progress,
    before_start: Callable[[], None] = lambda: None,
) -> DataJob:
    """Run a data job, or follow the one of this source that is running.

    before_start: called before a job is created; may raise OperatorError.

    Raises OperatorError if the job fails or is stopped.
    """
    names = f"{prefix(env.settings)}-{job_inputs.fingerprint(source=sources.identity(options.source))[:7]}"
    submitter = as_submitter(env)
    if found := running.running(env, "processing", names):
        name = min(found)
        _check_options(env, submitter, name, options)
        on_status(f"following {name}", important=True)
    else:
        before_start()
        name = f"{names}-{_last(env, names) + 1}"
        submission.submit(env, name, options, on_status)
    job = _follow(submitter, name, on_status)
    answer = _answer(submitter, name)
    if job["ProcessingJobStatus"] != "Completed":
        raise OperatorError(_failure(submitter, job, answer))
    if answer is None or answer.result is None:
        raise OperatorError(
            f"The result of the job {name}, {answer_uri(env, name)}, is gone: run ./inv data{env.settings.flag} --on "
            "sagemaker again, which sends nothing twice."
        )
    seconds = (job["ProcessingEndTime"] - job["ProcessingStartTime"]).total_seconds()
    price = hourly(job["ProcessingResources"]["ClusterConfig"]["InstanceType"])
    usd = None if price is None else round(price * seconds / 3600, 6)
    return DataJob(name, answer.result, round(seconds, 1), usd)


def _last(env: Environment, names: str) -> int:
    """Return the highest number of the jobs `<names>-<number>`, of which AWS keeps the records; 0 if there is none."""
    pages = env.client("sagemaker").get_paginator("list_processing_jobs").paginate(NameContains=names)
    found = [job["ProcessingJobName"] for page in pages for job in page["ProcessingJobSummaries"]]
    numbers = [name.removeprefix(f"{names}-") for name in found]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)


def _check_options(env: Environment, submitter: Environment, name: str, options: Options) -> None:
    """Raise Refused if the running job has other options than the command."""
    job = submitter.client("sagemaker").describe_processing_job(ProcessingJobName=name)
    words = job.get("Environment", {}).get("OPTIONS", "")
    if words != options.words:
        raise Refused(
            f"The job {name} reads this source already, with other options ({words}): wait for it, or end it with ./inv "
            f"data{env.settings.flag} --stop."
        )


def _follow(env: Environment, name: str, on_status: Progress) -> dict[str, Any]:
    """Follow a job until it ends. Returns its description."""
    sagemaker = env.client("sagemaker")
    return follow.until_ended(
        lambda: sagemaker.describe_processing_job(ProcessingJobName=name),
        follow.LogTail(env, name, LOG_GROUP),
        job=name,
        status=lambda job: str(job["ProcessingJobStatus"]),
        limit=env.settings.data.processing.max_runtime_seconds,
        stop=f"./inv data{env.settings.flag} --stop",
        on_status=lambda text: on_status(f"{name}: {text}"),
        on_line=lambda line: on_status(line.removeprefix("note: "), important=line.startswith("note: ")),
    )


def _answer(env: Environment, name: str) -> Answer | None:
    uri = answer_uri(env, name)
    content = s3.get(env, uri)
    if content is None:
        return None
    return decode(Answer, content, what=f"The result {uri}", remedy="run the same command again")


def _failure(env: Environment, job: dict[str, Any], answer: Answer | None) -> str:
    """Return the sentence about a job that did not succeed."""
    name, status = job["ProcessingJobName"], job["ProcessingJobStatus"]
    if answer is not None and answer.failure:
        return f"The job {name} failed: {answer.failure}"
    if status == "Stopped":
        limit = env.settings.data.processing.max_runtime_seconds
        reason = f"it was stopped, or ran longer than data.processing.max_runtime_seconds, {limit} s"
    else:
        reason = job.get("ExitMessage") or logs.with_last_lines(
            env, job.get("FailureReason", ""), LOG_GROUP, f"{name}/"
        )
    return (
        f"The data job {name} ended as {status}: {sentence(reason, MESSAGE)} Its whole log is in {LOG_GROUP}, streams "
        f"{name}/…. Fix the cause and run ./inv data{env.settings.flag} --on sagemaker again; it sends nothing twice."
    )
