"""The record of a tuning job: its request, trials and status."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embedded_aws.services.sagemaker.training.records import TrainingJob, now

ENDED = ("Completed", "Failed", "Stopped")
OBJECTIVE = "ObjectiveMetric"  # AWS adds the objective under this name to a trial's metrics


@dataclass
class TuningJob:
    """A tuning job. Plain data, so that it can be saved."""

    request: dict[str, Any]
    """The validated CreateHyperParameterTuningJob request."""

    account_id: str
    region: str
    arn: str
    status: str = "InProgress"
    failure_reason: str | None = None
    trials: dict[str, dict[str, str]] = field(default_factory=dict)
    """Tuned hyperparameters by name of the training job, in order."""

    creation_time: datetime = field(default_factory=now)
    last_modified_time: datetime = field(default_factory=now)
    end_time: datetime | None = None

    @property
    def name(self) -> str:
        name: str = self.request["HyperParameterTuningJobName"]
        return name

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.request["HyperParameterTuningJobConfig"]
        return config

    @property
    def definition(self) -> dict[str, Any]:
        definition: dict[str, Any] = self.request["TrainingJobDefinition"]
        return definition

    @property
    def objective(self) -> dict[str, str]:
        """Type ("Maximize" or "Minimize") and MetricName."""
        objective: dict[str, str] = self.config["HyperParameterTuningJobObjective"]
        return objective

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def end(self, status: str, reason: str | None = None) -> None:
        """Enter a terminal status."""
        self.failure_reason = reason
        self.end_time = self.last_modified_time = now()
        self.status = status  # last: callers that wait for the status then read the rest

    def is_better(self, value: float, than: float) -> bool:
        return value > than if self.objective["Type"] == "Maximize" else value < than

    def trial(self, job: TrainingJob) -> dict[str, Any]:
        """Return a trial's entry in ListTrainingJobsForHyperParameterTuningJob.

        job: its training job.
        """
        value = objective_value(job)
        entry = {
            "TrainingJobDefinitionName": self.definition.get("DefinitionName"),
            "TrainingJobName": job.name,
            "TrainingJobArn": job.arn,
            "CreationTime": job.creation_time,
            "TrainingStartTime": job.start_time,
            "TrainingEndTime": job.end_time,
            "TrainingJobStatus": job.status,
            "TunedHyperParameters": self.trials[job.name],
            "FailureReason": job.failure_reason,
            "ObjectiveStatus": objective_status(job),
        }
        if value is not None:
            entry["FinalHyperParameterTuningJobObjectiveMetric"] = {**self.objective, "Value": value}
        return {name: item for name, item in entry.items() if item is not None}

    def best(self, jobs: list[TrainingJob]) -> TrainingJob | None:
        """Return the finished trial with the best objective value, or None."""
        found: TrainingJob | None = None
        for job in jobs:
            value = objective_value(job)
            if objective_status(job) == "Succeeded" and value is not None:
                best = objective_value(found) if found else None
                if best is None or self.is_better(value, best):
                    found = job
        return found

    def not_improving(self, jobs: list[TrainingJob]) -> int:
        """Return the number of trials that have succeeded since the best one."""
        good = [job for job in jobs if objective_status(job) == "Succeeded"]
        order = sorted(good, key=lambda job: job.last_modified_time)
        best = self.best(good)
        return len(order) - 1 - order.index(best) if best else 0

    def describe(self, jobs: list[TrainingJob], overall_best: dict[str, Any] | None) -> dict[str, Any]:
        """Return the answer of DescribeHyperParameterTuningJob.

        jobs: the trials.
        overall_best: of a warm start, parents included.
        """
        best = self.best(jobs)
        answer = {
            **self.request,
            **self.summary(jobs),
            "BestTrainingJob": self.trial(best) if best else None,
            "OverallBestTrainingJob": overall_best,
            "FailureReason": self.failure_reason,
            "TuningJobCompletionDetails": {
                "NumberOfTrainingJobsObjectiveNotImproving": self.not_improving(jobs)
            },
            "ConsumedResources": {
                "RuntimeInSeconds": int(((self.end_time or now()) - self.creation_time).total_seconds())
            },
        }
        return {name: value for name, value in answer.items() if value is not None}

    def summary(self, jobs: list[TrainingJob]) -> dict[str, Any]:
        """Return the job's entry in ListHyperParameterTuningJobs. jobs: the trials."""
        statuses = [job.status for job in jobs]
        objectives = [objective_status(job) for job in jobs]
        entry = {
            "HyperParameterTuningJobName": self.name,
            "HyperParameterTuningJobArn": self.arn,
            "HyperParameterTuningJobStatus": self.status,
            "Strategy": self.config["Strategy"],
            "CreationTime": self.creation_time,
            "HyperParameterTuningEndTime": self.end_time,
            "LastModifiedTime": self.last_modified_time,
            "TrainingJobStatusCounters": {
                "Completed": statuses.count("Completed"),
                "InProgress": statuses.count("InProgress") + statuses.count("Stopping"),
                "RetryableError": 0,
                "NonRetryableError": statuses.count("Failed"),
                "Stopped": statuses.count("Stopped"),
            },
            "ObjectiveStatusCounters": {
                status: objectives.count(status) for status in ("Succeeded", "Pending", "Failed")
            },
            "ResourceLimits": self.config["ResourceLimits"],
        }
        return {name: value for name, value in entry.items() if value is not None}


def objective_value(job: TrainingJob) -> float | None:
    """Return the last objective value in a trial's log, or None."""
    metric = job.metrics.get(OBJECTIVE)
    return metric["Value"] if metric else None


def objective_status(job: TrainingJob) -> str:
    """Return a trial's ObjectiveStatus. It is Failed for a failed job, and for one that never logged the objective."""
    if not job.ended:
        return "Pending"
    return "Failed" if job.status == "Failed" or objective_value(job) is None else "Succeeded"
