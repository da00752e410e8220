"""What the embedded AWS remembers of a training job: the request as sent, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

# AWS's messages of the secondary statuses.
MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "Restarting": "Restarting the training job from the beginning: the embedded AWS was restarted",
}
ENDED = ("Completed", "Failed", "Stopped")
DEFAULT_MAX_RUNTIME = 86400  # seconds, of AWS


def now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class TrainingJob:
    """A training job. Plain data, so that it can be saved; its process lives in `runs.TrainingRuns`.

    request: of CreateTrainingJob, as botocore's model reads it.
    """

    request: dict[str, Any]
    account_id: str
    region: str
    arn: str
    tuning_job_arn: str | None = None
    status: str = "InProgress"
    secondary_status: str = "Starting"
    failure_reason: str | None = None
    transitions: list[dict[str, Any]] = field(default_factory=list)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    artifacts_uri: str | None = None
    creation_time: datetime = field(default_factory=now)
    last_modified_time: datetime = field(default_factory=now)
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def name(self) -> str:
        return self.request["TrainingJobName"]

    @property
    def key(self) -> tuple[str, str, str]:
        """(account, region, name), unique in this process."""
        return self.account_id, self.region, self.name

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def max_runtime(self) -> int:
        """Seconds that the program may run."""
        return self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME)

    def enter(self, secondary_status: str, message: str | None = None) -> None:
        """Move to a secondary status; the one before ends now."""
        moment = now()
        if self.transitions:
            self.transitions[-1] = {**self.transitions[-1], "EndTime": moment}
        self.transitions.append(
            {
                "Status": secondary_status,
                "StartTime": moment,
                "StatusMessage": message or MESSAGES[secondary_status],
            }
        )
        self.secondary_status, self.last_modified_time = secondary_status, moment

    def end(self, status: str, secondary_status: str | None = None, reason: str | None = None) -> None:
        """Reach a terminal status. `reason` is AWS's FailureReason, at most 1024 characters."""
        self.enter(secondary_status or status)
        self.transitions[-1] = {**self.transitions[-1], "EndTime": self.last_modified_time}
        self.failure_reason = reason[:1024] if reason else None
        self.end_time = self.last_modified_time
        self.status = status  # last: who waits for it reads the rest

    def describe(self) -> dict[str, Any]:
        """The answer of DescribeTrainingJob; the request's own members as they came."""
        answer = {
            "EnableNetworkIsolation": False,
            "EnableInterContainerTrafficEncryption": False,
            "EnableManagedSpotTraining": False,
            "StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_MAX_RUNTIME},
            **self.request,
            "TrainingJobArn": self.arn,
            "TuningJobArn": self.tuning_job_arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary_status,
            "SecondaryStatusTransitions": list(self.transitions),
            "FailureReason": self.failure_reason,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.last_modified_time,
            "TrainingStartTime": self.start_time,
            "TrainingEndTime": self.end_time,
            "ModelArtifacts": {"S3ModelArtifacts": self.artifacts_uri} if self.artifacts_uri else None,
            "FinalMetricDataList": list(self.metrics.values()),
        }
        if self.start_time:
            seconds = int(((self.end_time or now()) - self.start_time).total_seconds()) + 1
            answer["TrainingTimeInSeconds"] = answer["BillableTimeInSeconds"] = seconds
        return {name: value for name, value in answer.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """The job's entry in ListTrainingJobs."""
        described = self.describe()
        names = (
            "TrainingJobName", "TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime",
            "TrainingJobStatus", "SecondaryStatus",
        )  # fmt: skip
        return {name: described[name] for name in names if name in described}
