"""The record of a processing job: its request, status and times."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from embedded_aws.services.sagemaker import events
from embedded_aws.services.sagemaker.training.records import ENDED, now

DEFAULT_MAX_RUNTIME = 86400  # seconds, of AWS
_MEMBERS = (
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingJobName",
    "ProcessingResources",
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
)
_SUMMARY = (
    "ProcessingJobName",
    "ProcessingJobArn",
    "CreationTime",
    "ProcessingEndTime",
    "LastModifiedTime",
    "ProcessingJobStatus",
    "FailureReason",
    "ExitMessage",
)


@dataclass
class ProcessingJob:
    """A processing job. Plain data, so that it can be saved; `runs.ProcessingRuns` has its processes."""

    request: dict[str, Any]
    """The validated CreateProcessingJob request."""

    account_id: str
    region: str
    arn: str
    status: str = "InProgress"
    failure_reason: str | None = None
    exit_message: str | None = None
    """What the program wrote to /opt/ml/output/message, at most 1 KiB."""

    creation_time: datetime = field(default_factory=now)
    last_modified_time: datetime = field(default_factory=now)
    start_time: datetime | None = None
    end_time: datetime | None = None
    stream_stamp: int = 0
    """Unix time in the names of the latest log streams."""

    @property
    def name(self) -> str:
        name: str = self.request["ProcessingJobName"]
        return name

    @property
    def key(self) -> tuple[str, str, str]:
        """Account, region and name: unique in this process."""
        return self.account_id, self.region, self.name

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def cluster(self) -> dict[str, Any]:
        """Instance type and count, and the volume."""
        config: dict[str, Any] = self.request["ProcessingResources"]["ClusterConfig"]
        return config

    @property
    def max_runtime(self) -> int:
        """Seconds that the program may run."""
        return int(self.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME))

    def created(self) -> None:
        """Emit the event of a new job."""
        events.processing_job(self)

    def begin(self) -> None:
        """Record the start of the program."""
        self.start_time = self.last_modified_time = now()
        events.processing_job(self)

    def restart(self) -> None:
        """Run from the beginning: the processes ended with the embedded AWS."""
        self.start_time, self.exit_message, self.last_modified_time = None, None, now()

    def begin_stopping(self) -> None:
        """Record that the job was asked to stop."""
        self.status, self.last_modified_time = "Stopping", now()
        events.processing_job(self)

    def end(self, status: str, secondary_status: str | None = None, reason: str | None = None) -> None:
        """Enter a terminal status.

        secondary_status: None, as only training jobs have one.
        reason: AWS's FailureReason, cut at 1024 characters.
        """
        self.failure_reason = reason[:1024] if reason else None
        self.end_time = self.last_modified_time = now()
        self.status = status  # last: callers that wait for the status then read the rest
        events.processing_job(self)

    def describe(self) -> dict[str, Any]:
        """Return the answer of DescribeProcessingJob."""
        answer = {
            "StoppingCondition": {"MaxRuntimeInSeconds": self.max_runtime},
            **{name: self.request[name] for name in _MEMBERS if name in self.request},
            "ProcessingJobArn": self.arn,
            "ProcessingJobStatus": self.status,
            "ExitMessage": self.exit_message,
            "FailureReason": self.failure_reason,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.last_modified_time,
            "ProcessingStartTime": self.start_time,
            "ProcessingEndTime": self.end_time,
        }
        return {name: value for name, value in answer.items() if value is not None}

    def summary(self) -> dict[str, Any]:
        """Return the job's entry in ListProcessingJobs."""
        described = self.describe()
        return {name: described[name] for name in _SUMMARY if name in described}
