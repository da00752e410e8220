"""The trials of a search: its training jobs, with hyperparameters, objective and reason of a failure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import is_missing
from ops.environment import Environment
from ops.facts.prices import hourly

FAILED = "Failed"


@dataclass(frozen=True)
class Trial:
    """One training job of a search.

    objective: accuracy on the validation split, 0 to 1.
    elapsed: seconds.
    billable_seconds: that AWS bills; None until `with_costs`, and for a trial that AWS no longer knows.
    usd: their cost at the list price, if it is known.
    failure: why it failed; empty if it did not.
    retry_of: name of the failed trial that it repeats; empty for the trials that the search itself ran.
    """

    hyperparameters: dict[str, str]
    name: str
    status: str
    objective: float | None
    start: datetime | None
    end: datetime | None
    elapsed: float | None
    failure: str = ""
    retry_of: str = ""
    billable_seconds: float | None = None
    usd: float | None = None

    @property
    def settings(self) -> str:
        """The hyperparameters, for people."""
        tuned = {name: value for name, value in self.hyperparameters.items() if not name.startswith("_")}
        return ", ".join(f"{name} {value}" for name, value in sorted(tuned.items())) or "no hyperparameters"


def of_search(env: Environment, tuning_job: str) -> list[Trial]:
    """Return the trials that a tuning job has run: the best first, those without an objective last."""
    pages = env.client("sagemaker").get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    return in_order(
        of_summary(summary)
        for page in pages.paginate(HyperParameterTuningJobName=tuning_job)
        for summary in page["TrainingJobSummaries"]
    )


def with_costs(env: Environment, trials: Iterable[Trial]) -> list[Trial]:
    """Return trials with what AWS bills for each: on Spot capacity fewer seconds than the trial ran."""
    return [_with_cost(env, trial) for trial in trials]


def _with_cost(env: Environment, trial: Trial) -> Trial:
    try:
        job = env.client("sagemaker").describe_training_job(TrainingJobName=trial.name)
    except ClientError as error:
        if is_missing(error):
            return trial
        raise
    resources = job.get("ResourceConfig", {})
    seconds = job.get("BillableTimeInSeconds", job.get("TrainingTimeInSeconds"))
    if seconds is None:
        return trial
    billable = float(seconds) * resources.get("InstanceCount", 1)
    price = hourly(resources.get("InstanceType", ""))
    usd = None if price is None else round(price * billable / 3600, 6)
    return replace(trial, billable_seconds=billable, usd=usd)


def in_order(trials: Iterable[Trial]) -> list[Trial]:
    """Return trials with the best first, those without an objective last."""
    return sorted(trials, key=lambda t: (t.objective is None, -(t.objective or 0.0), t.name))


def in_time(trials: Iterable[Trial]) -> list[Trial]:
    """Return trials in the order in which they ended, those that have not ended last."""
    latest = datetime.max.replace(tzinfo=timezone.utc)
    return sorted(trials, key=lambda t: (t.end.astimezone(timezone.utc) if t.end else latest, t.name))


def elapsed(start: datetime | None, end: datetime | None) -> float | None:
    """Return the seconds of a trial that has ended."""
    return (end - start).total_seconds() if start and end else None


def of_summary(summary: dict[str, Any]) -> Trial:
    """Return a trial from AWS's description of it in a search."""
    start, end = summary.get("TrainingStartTime"), summary.get("TrainingEndTime")
    status = summary["TrainingJobStatus"]
    objective = summary.get("FinalHyperParameterTuningJobObjectiveMetric")
    return Trial(
        hyperparameters=summary["TunedHyperParameters"],
        name=summary["TrainingJobName"],
        status=status,
        objective=objective["Value"] if objective else None,
        start=start,
        end=end,
        elapsed=elapsed(start, end),
        failure=summary.get("FailureReason", "") if status == FAILED else "",
    )
