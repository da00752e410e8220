"""A job's description and status: the JSON files in S3 that the launcher and the runner share."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

STATUS_FILE = "status.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """The description of one training job, `job.json`.

    name: name of the job.
    region: AWS region of the bucket and the model registry.
    kms_key_arn: key that encrypts every object the job writes.
    source: s3:// URI of the training program, a tar.gz.
    source_digest: SHA-256 of that archive, hexadecimal.
    program: file in the archive to run.
    hyperparameters: name to value, passed as `--name value`.
    channels: channel name to s3:// prefix.
    output: s3:// prefix of the model, the metrics and the status.
    checkpoints: s3:// prefix of the checkpoints, which the next attempt resumes from.
    metrics: metric name to a regular expression whose group is the value.
    registration: CreateModelPackage request, without what only the trained model provides; None registers no model.
    minimum_accuracy: accuracy on the test split, 0 to 1, from which the model is approved.
    max_runtime_seconds: limit for the training program.
    log_group: CloudWatch Logs group; None prints only.
    """

    name: str
    region: str
    kms_key_arn: str
    source: str
    source_digest: str
    program: str
    hyperparameters: dict[str, str]
    channels: dict[str, str]
    output: str
    checkpoints: str
    metrics: dict[str, str]
    registration: dict[str, Any] | None
    minimum_accuracy: float
    max_runtime_seconds: float
    log_group: str | None = None

    def to_json(self) -> str:
        """Return the content of job.json."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Job:
        """Read job.json. Raises TypeError for missing or unknown fields."""
        return cls(**json.loads(text))

    @property
    def artifact(self) -> str:
        """s3:// URI of the trained model."""
        return f"{self.output}output/model.tar.gz"


@dataclass(kw_only=True, slots=True)
class Status:
    """The progress of a job, `status.json`, written by the machine that runs it.

    status: a SageMaker training job status, or Interrupted: the next machine resumes from the checkpoint.
    stage: what the current attempt is doing.
    machine: ID of the machine of the current or last attempt.
    machine_type: its EC2 instance type, or the local machine's processors.
    spot: whether it is a Spot Instance.
    attempts: number of attempts so far.
    training_seconds: time from the first download to the uploaded model, summed over all attempts.
    billable_seconds: time from the launch of the machine, summed over all attempts.
    failure: reason of the failure or interruption.
    reclaimed: whether EC2 reclaimed the Spot Instance.
    metrics: last value of each metric.
    model_package_arn: ARN of the registered model version.
    """

    status: str = "InProgress"
    stage: str = "Starting"
    machine: str = ""
    machine_type: str = ""
    spot: bool = False
    attempts: int = 0
    training_seconds: float = 0.0
    billable_seconds: float = 0.0
    failure: str = ""
    reclaimed: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    model_package_arn: str = ""

    def to_json(self) -> str:
        """Return the content of status.json."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Status:
        """Read status.json. Fields that another version of the runner added are ignored."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})
