"""What a job is about, as whoever starts it has written it to S3."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training job.

    source: s3:// of the training program's tar.gz; source_digest: its SHA-256, hexadecimal. program: its file. hyperparameters: its command line.
    channels: name to s3:// prefix. output, checkpoints: s3:// prefixes of results and of what a next attempt starts from.
    metrics: name to a regular expression whose group is the value. registration: CreateModelPackage's request, but for
    what training tells; minimum_accuracy: on the test split, from which the model is approved. log_group: of CloudWatch
    Logs; None to print only. max_runtime_seconds: of the training program.
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
    registration: dict[str, Any]
    minimum_accuracy: float
    max_runtime_seconds: int
    log_group: str | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Job:
        return cls(**json.loads(text))

    @property
    def artifact(self) -> str:
        """Where the model lies once it is trained."""
        return f"{self.output}output/model.tar.gz"


@dataclass(kw_only=True)
class Status:
    """How far a job is: `status.json` below its output, written by the machine that runs it.

    status: as of a SageMaker training job, or Interrupted, after which the next machine goes on from the checkpoint.
    machine, machine_type: of the attempt under way, or the last one. training_seconds: from the first byte fetched to
    the model uploaded; billable_seconds: from the machine's launch; both over all attempts, and written down every half a
    minute. reclaimed: whether it was interrupted as EC2 takes its Spot Instance back.
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
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Status:
        """What another version of this program has written besides is left out."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})


STATUS = "status.json"
