"""Jobs of the runner (ml/runner), which no AWS service tracks: their description and status are objects in S3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ml.jobs import job_inputs, registry, weights
from ml.jobs.launchers.base import TRAIN, Outcome, Training
from ml.jobs.submitter import as_submitter
from ml.runner.job import STATUS_FILE, Job, Status
from ops import packaging, s3
from ops.documents import decode
from ops.environment import Environment

RUNNER = Path(__file__).resolve().parents[2] / "runner"
PENDING = ("InProgress", "Interrupted")  # after both, the next machine resumes from the checkpoint


def describe(env: Environment, name: str) -> dict[str, Any] | None:
    """Return the job's state for `names.attempt`; None until a machine has started it."""
    status = read_status(env, name)
    if status is None:
        return None
    if status.status in PENDING:
        return {"status": "InProgress", "usable": False}
    usable = status.status == "Completed" and s3.exists(env, _artifact(env, name))
    return {"status": status.status, "usable": usable}


def read_status(env: Environment, name: str) -> Status | None:
    """Return the job's status; None until a machine has started it. Raises UnreadableDocument."""
    uri = s3.in_data_bucket(env, f"training/{name}/{STATUS_FILE}")
    content = s3.get(env, uri)
    if content is None:
        return None
    remedy = (
        f"remove it with `aws s3 rm {uri}`, then start the training again, which resumes from its checkpoint"
    )
    return decode(Status, content, what=f"The status {uri} of a training", remedy=remedy)


def outcome(env: Environment, name: str, status: Status) -> Outcome:
    """Return the result of a job that has succeeded."""
    return Outcome(
        artifact=str(_artifact(env, name)),
        metrics=status.metrics,
        seconds=status.training_seconds,
        billable_seconds=status.billable_seconds,
        run_stats={
            "instance_type": status.machine_type,
            "spot": str(status.spot).lower(),
            "training_seconds": f"{status.training_seconds:.0f}",
            "billable_seconds": f"{status.billable_seconds:.0f}",
        },
    )


def write(training: Training, name: str, launcher: str, log_group: str | None) -> s3.S3Uri:
    """Write a job's description to S3, for the machine that will run it. Returns its URI."""
    env = training.env
    artifact = str(_artifact(env, name))
    lineage = training.lineage(name, launcher)
    registration = registry.request(
        env,
        training_job=name,
        artifact=artifact,
        lineage=lineage,
        hyperparameters=training.hyperparameters,
    )
    job = Job(
        name=name,
        region=env.settings.region,
        kms_key_arn=env.outputs.foundation.kms_key_arn,
        source=training.source.uri,
        source_digest=training.source.digest,
        program=job_inputs.PROGRAM,
        hyperparameters=training.hyperparameters,
        channels=_channels(training),
        output=str(s3.in_data_bucket(env, f"training/{name}/")),
        checkpoints=str(s3.in_data_bucket(env, f"checkpoints/{name}/")),
        metrics={m["name"]: m["regex"] for m in job_inputs.metric_definitions()},
        registration=registration if training.task == TRAIN else None,
        minimum_accuracy=env.settings.training.minimum_accuracy,
        max_runtime_seconds=env.settings.training.max_runtime_seconds,
        log_group=log_group,
    )
    return s3.put(as_submitter(env), f"{folder(name)}job.json", job.to_json().encode())


def upload_runner(env: Environment) -> tuple[s3.S3Uri, str]:
    """Upload ml/runner to S3, once per content. Returns its URI and its SHA-256, hexadecimal."""
    body, digest = packaging.source_bundle(RUNNER, prefix="runner/")
    return s3.put_once(as_submitter(env), f"code/{digest[:16]}/runner.tar.gz", body), digest


def mark_launched(env: Environment, name: str, instance_id: str) -> None:
    """Allow a host to shut down by itself: Terraform has seen it."""
    s3.put(as_submitter(env), f"{folder(name)}launched/{instance_id}", b"")


def launched_prefix(env: Environment, name: str) -> s3.S3Uri:
    """Return the prefix of the objects that `mark_launched` writes."""
    return s3.in_data_bucket(env, f"{folder(name)}launched/")


def ended_prefix(env: Environment, name: str) -> s3.S3Uri:
    """Return the prefix of the objects that kept hosts write when their job has ended."""
    return s3.in_data_bucket(env, f"training/{name}/ended/")


def has_ended(env: Environment, name: str, instance_id: str) -> bool:
    """Return whether the job of a kept host has ended."""
    return s3.exists(env, ended_prefix(env, name) / instance_id)


def folder(name: str) -> str:
    """Return the key prefix of a job's description in the data bucket."""
    return f"code/jobs/{name}/"


def _artifact(env: Environment, name: str) -> s3.S3Uri:
    return s3.in_data_bucket(env, f"training/{name}/output/model.tar.gz")


def _channels(training: Training) -> dict[str, str]:
    env = training.env
    found = job_inputs.split_uris(env, training.manifest, ["train", "valid", "test"])
    if env.settings.model.pretrained:
        found["weights"] = weights.upload(as_submitter(env))
    return found
