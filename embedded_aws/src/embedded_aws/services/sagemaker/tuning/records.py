"""What the embedded AWS remembers of a tuning job: the request as sent, its trials, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embedded_aws.services.sagemaker.training.records import TrainingJob, now

ENDED = ("Completed", "Failed", "Stopped")
OBJECTIVE = "ObjectiveMetric"  # AWS's second name of the objective among a trial's metrics


@dataclass
class TuningJob:
    """A tuning job. Plain data, so that it can be saved.

    request: of CreateHyperParameterTuningJob. trials: training job name → tuned hyperparameters, in order.
    """

    request: dict[str, Any]
    account_id: str
    region: str
    arn: str
    status: str = "InProgress"
    failure_reason: str | None = None
    trials: dict[str, dict[str, str]] = field(default_factory=dict)
    creation_time: datetime = field(default_factory=now)
    last_modified_time: datetime = field(default_factory=now)
    end_time: datetime | None = None

    @property
    def name(self) -> str:
        return self.request["HyperParameterTuningJobName"]

    @property
    def config(self) -> dict[str, Any]:
        return self.request["HyperParameterTuningJobConfig"]

    @property
    def definition(self) -> dict[str, Any]:
        return self.request["TrainingJobDefinition"]

    @property
    def objective(self) -> dict[str, str]:
        """{"Type": "Maximize" or "Minimize", "MetricName": …}."""
        return self.config["HyperParameterTuningJobObjective"]

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def end(self, status: str, reason: str | None = None) -> None:
        """Reach a terminal status."""
        self.failure_reason = reason
        self.end_time = self.last_modified_time = now()
        self.status = status  # last: who waits for it reads the rest

    def is_better(self, value: float, than: float) -> bool:
        return value > than if self.objective["Type"] == "Maximize" else value < than

    def trial(self, job: TrainingJob) -> dict[str, Any]:
        """A trial's entry in ListTrainingJobsForHyperParameterTuningJob, from its training job."""
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
        """The trial with the best objective value among those that have ended."""
        found: TrainingJob | None = None
        for job in jobs:
            value = objective_value(job)
            if objective_status(job) == "Succeeded" and value is not None:
                best = objective_value(found) if found else None
                if best is None or self.is_better(value, best):
                    found = job
        return found

    def not_improving(self, jobs: list[TrainingJob]) -> int:
        """How many trials have succeeded since the best one."""
        good = [job for job in jobs if objective_status(job) == "Succeeded"]
        order = sorted(good, key=lambda job: job.last_modified_time)
        best = self.best(good)
        return len(order) - 1 - order.index(best) if best else 0

    def describe(self, jobs: list[TrainingJob], overall_best: dict[str, Any] | None) -> dict[str, Any]:
        """The answer of DescribeHyperParameterTuningJob. jobs: its trials. overall_best: with warm start."""
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
        """The job's entry in ListHyperParameterTuningJobs."""
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
    """The last value of the objective that a trial has logged."""
    metric = job.metrics.get(OBJECTIVE)
    return metric["Value"] if metric else None


def objective_status(job: TrainingJob) -> str:
    """Whether a trial's objective counts: a failed job's does not, nor one that never logged it."""
    if not job.ended:
        return "Pending"
    return "Failed" if job.status == "Failed" or objective_value(job) is None else "Succeeded"
