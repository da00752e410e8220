"""Jobs that no service keeps: their description and how far they are lie in the environment's bucket (ml/runner)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ml.jobs import job_inputs as program
from ml.jobs import registry, weights
from ml.jobs.launchers.base import Outcome, Training
from ml.jobs.launchers.sagemaker import exists
from ml.runner.job import STATUS_FILE, Job, Status
from ops import packaging
from ops.aws import acting_as, client
from ops.outputs import Foundation
from ops.settings import Settings

HOST = Path(__file__).resolve().parents[2] / "runner"
PENDING = ("InProgress", "Interrupted")  # the next machine goes on from the checkpoint


def describe(settings: Settings, foundation: Foundation, name: str) -> dict[str, Any] | None:
    """As `names.attempt` wants it; None until a machine has begun."""
    status = read(settings, foundation, name)
    if status is None:
        return None
    if status.status in PENDING:
        return {"status": "InProgress", "usable": False}
    usable = status.status == "Completed" and exists(settings, _artifact(foundation, name))
    return {"status": status.status, "usable": usable}


def read(settings: Settings, foundation: Foundation, name: str) -> Status | None:
    """How far a job is; None until a machine has begun."""
    s3 = client("s3", settings.region)
    try:
        answer = s3.get_object(Bucket=foundation.bucket, Key=f"training/{name}/{STATUS_FILE}")
    except s3.exceptions.NoSuchKey:
        return None
    return Status.from_json(answer["Body"].read())


def outcome(foundation: Foundation, name: str, status: Status) -> Outcome:
    """What a job that has succeeded gives."""
    took = {
        "instance_type": status.machine_type,
        "spot": str(status.spot).lower(),
        "training_seconds": f"{status.training_seconds:.0f}",
        "billable_seconds": f"{status.billable_seconds:.0f}",
    }
    return Outcome(
        _artifact(foundation, name), status.metrics, status.training_seconds, status.billable_seconds, took
    )


def write(training: Training, name: str, launcher: str, log_group: str | None) -> str:
    """Leave a job's description for the machine that will run it. Returns its s3:// address."""
    settings, foundation = training.settings, training.foundation
    output = f"s3://{foundation.bucket}/training/{name}/"
    job = Job(
        name=name,
        region=settings.region,
        kms_key_arn=foundation.kms_key_arn,
        source=training.source.uri,
        source_digest=training.source.digest,
        program=program.PROGRAM,
        hyperparameters=training.hyperparameters,
        channels=_channels(training),
        output=output,
        checkpoints=f"s3://{foundation.bucket}/checkpoints/{name}/",
        metrics={m["name"]: m["regex"] for m in program.metric_definitions()},
        registration=registry.request(
            settings,
            foundation,
            training_job=name,
            artifact=_artifact(foundation, name),
            lineage=training.lineage(name, launcher),
        ),
        minimum_accuracy=settings.training.minimum_accuracy,
        max_runtime_seconds=settings.training.max_runtime_seconds,
        log_group=log_group,
    )
    return _put(settings, foundation, f"{folder(name)}job.json", job.to_json().encode())


def upload_host_program(settings: Settings, foundation: Foundation) -> tuple[str, str]:
    """Put ml/runner into S3, once per content. Returns its s3:// address and its SHA-256, hexadecimal."""
    body, digest = packaging.source_bundle(HOST, prefix="runner/")
    key = f"code/{digest[:16]}/runner.tar.gz"
    with acting_as(foundation.tuning_role_arn):
        s3 = client("s3", settings.region)
        if s3.list_objects_v2(Bucket=foundation.bucket, Prefix=key, MaxKeys=1)["KeyCount"]:
            return f"s3://{foundation.bucket}/{key}", digest
    return _put(settings, foundation, key, body), digest


def mark_launched(settings: Settings, foundation: Foundation, name: str, instance_id: str) -> None:
    """Let a host switch itself off: Terraform has seen it."""
    _put(settings, foundation, f"{folder(name)}launched/{instance_id}", b"")


def launched_prefix(foundation: Foundation, name: str) -> str:
    """s3:// of the marks that `mark_launched` leaves."""
    return f"s3://{foundation.bucket}/{folder(name)}launched/"


def ended_prefix(foundation: Foundation, name: str) -> str:
    """s3:// of the marks that hosts leave which stay when their job has ended."""
    return f"s3://{foundation.bucket}/training/{name}/ended/"


def has_ended(settings: Settings, foundation: Foundation, name: str, instance_id: str) -> bool:
    """Whether a host that stays has left its mark."""
    return exists(settings, f"{ended_prefix(foundation, name)}{instance_id}")


def folder(name: str) -> str:
    """Where a job's description lies in the bucket."""
    return f"code/jobs/{name}/"


def _artifact(foundation: Foundation, name: str) -> str:
    return f"s3://{foundation.bucket}/training/{name}/output/model.tar.gz"


def _channels(training: Training) -> dict[str, str]:
    settings, foundation = training.settings, training.foundation
    found = program.split_uris(foundation, training.manifest.dataset, ["train", "valid", "test"])
    if settings.model.pretrained:
        with acting_as(foundation.tuning_role_arn):
            found["weights"] = weights.upload(settings, foundation)
    return found


def _put(settings: Settings, foundation: Foundation, key: str, body: bytes) -> str:
    with acting_as(foundation.tuning_role_arn):
        client("s3", settings.region).put_object(
            Bucket=foundation.bucket,
            Key=key,
            Body=body,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=foundation.kms_key_arn,
        )
    return f"s3://{foundation.bucket}/{key}"
