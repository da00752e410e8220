"""The record of a training job: its request, status, metrics and times."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from embedded_aws.services.sagemaker import events

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
    "MaxWaitTimeExceeded": "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    "Interrupted": "The spot instances were interrupted: waiting for capacity",
    "Restarting": "Restarting the training job from the beginning",
}
ENDED = ("Completed", "Failed", "Stopped")
DEFAULT_MAX_RUNTIME = 86400  # seconds, of AWS
SPOT_PRICE = 0.3  # of the on-demand price; there is no spot market here, and spot usually saves about 70 %


def now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class TrainingJob:
    """A training job. Plain data, so that it can be saved; `runs.TrainingRuns` has its processes."""

    request: dict[str, Any]
    """The validated CreateTrainingJob request."""

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
    """Start of the first attempt."""

    end_time: datetime | None = None
    attempt_time: datetime | None = None
    """Start of the current attempt."""

    seconds_before: float = 0.0
    """Run time of earlier attempts."""

    stream_stamp: int = 0
    """Unix time in the names of the latest log streams."""

    @property
    def name(self) -> str:
        name: str = self.request["TrainingJobName"]
        return name

    @property
    def key(self) -> tuple[str, str, str]:
        """Account, region and name: unique in this process."""
        return self.account_id, self.region, self.name

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def max_runtime(self) -> int:
        """Seconds that the program may run."""
        condition = self.request.get("StoppingCondition", {})
        return int(condition.get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME))

    @property
    def max_wait(self) -> int | None:
        """Seconds from creation within which a spot job must end; None for an on-demand job."""
        seconds: int | None = self.request.get("StoppingCondition", {}).get("MaxWaitTimeInSeconds")
        return seconds

    @property
    def spot(self) -> bool:
        return bool(self.request.get("EnableManagedSpotTraining", False))

    def begin_attempt(self) -> None:
        """Start the program, for the first time or after an interruption."""
        self.attempt_time = now()
        self.start_time = self.start_time or self.attempt_time
        self.enter("Training")

    def end_attempt(self) -> None:
        """Record that the spot instances were interrupted."""
        self.seconds_before, self.attempt_time = self.seconds, None

    def restart(self) -> None:
        """Run from the beginning: the processes ended with the embedded AWS, or it had an internal error."""
        self.metrics.clear()
        self.start_time, self.attempt_time, self.seconds_before = None, None, 0.0
        self.enter("Restarting")

    @property
    def seconds(self) -> float:
        """Run time of the program in all attempts, upload included."""
        if self.attempt_time is None:
            return self.seconds_before
        return self.seconds_before + ((self.end_time or now()) - self.attempt_time).total_seconds()

    def begin_stopping(self) -> None:
        """Record that the job was asked to stop."""
        self.status = "Stopping"
        self.enter("Stopping")

    def enter(self, secondary_status: str, message: str | None = None) -> None:
        """Enter a secondary status, which ends the previous one, and emit an event."""
        self._move(secondary_status, message)
        events.training_job(self)

    def _move(self, secondary_status: str, message: str | None = None) -> None:
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
        """Enter a terminal status. reason: AWS's FailureReason, cut at 1024 characters."""
        self._move(secondary_status or status)
        self.transitions[-1] = {**self.transitions[-1], "EndTime": self.last_modified_time}
        self.failure_reason = reason[:1024] if reason else None
        self.end_time = self.last_modified_time
        self.status = status  # last: callers that wait for the status then read the rest
        events.training_job(self)

    def describe(self) -> dict[str, Any]:
        """Return the answer of DescribeTrainingJob."""
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
            "WarmPoolStatus": self._warm_pool(),
        }
        if self.start_time:
            answer["TrainingTimeInSeconds"] = seconds = int(self.seconds) + 1
            answer["BillableTimeInSeconds"] = math.ceil(seconds * SPOT_PRICE) if self.spot else seconds
        return {name: value for name, value in answer.items() if value is not None}

    def _warm_pool(self) -> dict[str, Any] | None:
        """Return WarmPoolStatus. Here KeepAlivePeriodInSeconds has no effect: the pool ends with its job."""
        if "KeepAlivePeriodInSeconds" not in self.request.get("ResourceConfig", {}):
            return None
        return (
            {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}
            if self.ended
            else {"Status": "InUse"}
        )

    def summary(self) -> dict[str, Any]:
        """Return the job's entry in ListTrainingJobs."""
        described = self.describe()
        names = (
            "TrainingJobName",
            "TrainingJobArn",
            "CreationTime",
            "TrainingEndTime",
            "LastModifiedTime",
            "TrainingJobStatus",
            "SecondaryStatus",
            "WarmPoolStatus",
        )
        return {name: described[name] for name in names if name in described}
