"""What the embedded AWS remembers of a training job: the request as sent, and what became of it."""

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
    "Restarting": "Restarting the training job from the beginning: the embedded AWS was restarted",
}
ENDED = ("Completed", "Failed", "Stopped")
DEFAULT_MAX_RUNTIME = 86400  # seconds, of AWS
SPOT_PRICE = 0.3  # of the on-demand price: there is no market here, and about 70 % is what spot usually saves


def now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class TrainingJob:
    """A training job. Plain data, so that it can be saved; its process lives in `runs.TrainingRuns`.

    request: of CreateTrainingJob, as botocore's model reads it. start_time: of the first attempt;
    attempt_time: of the running one; seconds_before: that earlier attempts ran. stream_stamp: seconds of the
    epoch in the names of the latest log streams.
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
    attempt_time: datetime | None = None
    seconds_before: float = 0.0
    stream_stamp: int = 0

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

    @property
    def max_wait(self) -> int | None:
        """Seconds from creation within which a spot job must end; None for an on-demand job."""
        return self.request.get("StoppingCondition", {}).get("MaxWaitTimeInSeconds")

    @property
    def spot(self) -> bool:
        return self.request.get("EnableManagedSpotTraining", False)

    def begin_attempt(self) -> None:
        """The program starts, for the first time or again after an interruption."""
        self.attempt_time = now()
        self.start_time = self.start_time or self.attempt_time
        self.enter("Training")

    def end_attempt(self) -> None:
        """The instances are taken away."""
        self.seconds_before, self.attempt_time = self.seconds, None

    def begin_again(self) -> None:
        """The embedded AWS has lost the processes: the job runs from the beginning."""
        self.metrics.clear()
        self.start_time, self.attempt_time, self.seconds_before = None, None, 0.0
        self.enter("Restarting")

    @property
    def seconds(self) -> float:
        """How long the program has run, in all attempts; the upload of its results counts."""
        if self.attempt_time is None:
            return self.seconds_before
        return self.seconds_before + ((self.end_time or now()) - self.attempt_time).total_seconds()

    def enter(self, secondary_status: str, message: str | None = None) -> None:
        """Move to a secondary status, and tell of it; the one before ends now."""
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
        """Reach a terminal status. `reason` is AWS's FailureReason, at most 1024 characters."""
        self._move(secondary_status or status)
        self.transitions[-1] = {**self.transitions[-1], "EndTime": self.last_modified_time}
        self.failure_reason = reason[:1024] if reason else None
        self.end_time = self.last_modified_time
        self.status = status  # last: who waits for it reads the rest
        events.training_job(self)

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
            "WarmPoolStatus": self._warm_pool(),
        }
        if self.start_time:
            answer["TrainingTimeInSeconds"] = seconds = int(self.seconds) + 1
            answer["BillableTimeInSeconds"] = math.ceil(seconds * SPOT_PRICE) if self.spot else seconds
        return {name: value for name, value in answer.items() if value is not None}

    def _warm_pool(self) -> dict[str, Any] | None:
        """KeepAlivePeriodInSeconds keeps nothing here: a pool ends with its job, having cost nothing more."""
        if "KeepAlivePeriodInSeconds" not in self.request.get("ResourceConfig", {}):
            return None
        return (
            {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}
            if self.ended
            else {"Status": "InUse"}
        )

    def summary(self) -> dict[str, Any]:
        """The job's entry in ListTrainingJobs."""
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
