"""The features job: the features of a frozen backbone, computed once for all trials of a search and for the training.

They depend on data, backbone and preprocessing, but on none of the hyperparameters of the head. The program writes them
into its checkpoint folder, which SageMaker copies to S3 uncompressed: an interrupted job continues where it stopped.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from pydantic import BaseModel

from ml.jobs import follow, job_inputs, names, weights
from ml.jobs.data.manifest import Manifest
from ml.jobs.sdk import sdk
from ops import logs, s3
from ops.aws import is_missing
from ops.documents import UnreadableDocument, decode
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts.prices import hourly
from ops.settings import Settings
from ops.text import sentence

INDEX = "features.json"
SECONDS = "features_seconds"  # the metric that the program prints
SPLITS = ["train", "valid", "test"]
MODULES = ("features", "model", "pretrained")  # of the program, with what they import
DECIDING = ("augmentation", "feature-views", "precision", "random-erasing")
"""Hyperparameters that change the features: if one is tuned, each trial computes features of its own."""

MESSAGE = 1600  # characters of a failure's reason


@dataclass(frozen=True)
class Features:
    """The features of one data set and backbone, in S3.

    uri: s3:// prefix.
    job: the training job that computed them.
    seconds: that it took, with its start.
    computing_seconds: that the computation itself took: what each job would spend on features of its own.
    billable_seconds: that AWS bills for it.
    usd: their cost at the list price; None if it is not known.
    reused: whether the job had run before.
    """

    uri: str
    job: str
    seconds: float
    computing_seconds: float
    billable_seconds: float
    usd: float | None
    reused: bool


def shared(settings: Settings, tuned: Iterable[str] = ()) -> bool:
    """Return whether several jobs can share the features. tuned: hyperparameters in which the jobs differ."""
    return settings.model.mode == "linear-probe" and not set(tuned) & set(DECIDING)


class _Index(BaseModel):
    complete: bool


class FeaturesJob:
    """The job that computes the features of a data set with the environment's backbone.

    uri: s3:// prefix of the features. Another prefix if anything that decides them changes.
    """

    def __init__(self, env: Environment, manifest: Manifest) -> None:
        """env: acts as the tuning role."""
        self._env, self._manifest = env, manifest
        self._digest = _digest(env, manifest)
        self.uri = s3.in_data_bucket(env, f"features/{self._digest[:16]}/")

    def find(self) -> Features | None:
        """Return the features, or None until a job has computed them."""
        name, job = self._find()
        if job is None or job["status"] != "Completed":
            return None
        return self._features(self._described(name), reused=True)

    def ensure(
        self,
        source: job_inputs.Source,
        *,
        on_status: Callable[[str], None],
        on_line: Callable[[str], None] = lambda line: None,
    ) -> Features:
        """Return the features; compute them, or follow the job that does, if there are none yet.

        Raises OperatorError if the job fails or is stopped.
        """
        env = self._env
        name, job = self._find()
        if job is not None and job["status"] == "Completed":
            return self._features(self._described(name), reused=True)
        if job is None:
            job_inputs.create(lambda: submit(env, self._manifest, source, name, self.uri))
        ended = follow.training_job(env, name, lambda text: on_status(f"{name}: {text}"), on_line)
        if ended["TrainingJobStatus"] != "Completed":
            raise OperatorError(_failure(env, ended))
        return self._features(ended, reused=False)

    def _find(self) -> tuple[str, names.Job | None]:
        return names.attempt(job_prefix(self._env.settings), self._digest, self._describe)

    def _describe(self, name: str) -> names.Job | None:
        """Return the job's state; it is usable if its features are still in the bucket."""
        try:
            status = self._described(name)["TrainingJobStatus"]
        except ClientError as error:
            if is_missing(error):
                return None
            raise
        return {
            "status": status,
            "usable": status == "Completed" and self._is_complete(),
        }

    def _is_complete(self) -> bool:
        """Return whether all features are in the bucket: an object may expire before the others."""
        index = self.uri / INDEX
        if (content := s3.get(self._env, index)) is None:
            return False
        try:
            found = decode(
                _Index, content, what=f"The index of features {index}", remedy="compute them again"
            )
        except UnreadableDocument:
            return False  # a new job computes them again
        return found.complete and all(
            s3.has_objects(self._env, self.uri / f"{split}.npy") for split in SPLITS
        )

    def _described(self, name: str) -> dict[str, Any]:
        job: dict[str, Any] = self._env.client("sagemaker").describe_training_job(TrainingJobName=name)
        return job

    def _features(self, job: dict[str, Any], reused: bool) -> Features:
        seconds = float(job.get("TrainingTimeInSeconds", 0))
        billable = float(job.get("BillableTimeInSeconds", seconds))
        metrics = {m["MetricName"]: m["Value"] for m in job.get("FinalMetricDataList", [])}
        price = hourly(job["ResourceConfig"]["InstanceType"])
        return Features(
            uri=str(self.uri),
            job=job["TrainingJobName"],
            seconds=seconds,
            computing_seconds=round(metrics.get(SECONDS, seconds), 1),
            billable_seconds=billable,
            usd=None if price is None else round(price * billable / 3600, 6),
            reused=reused,
        )


def submit(env: Environment, manifest: Manifest, source: job_inputs.Source, name: str, uri: s3.S3Uri) -> None:
    """Create the features job `name`, which writes to the prefix `uri`."""
    settings, foundation = env.settings, env.outputs.foundation
    limit, spot = settings.training.max_runtime_seconds, settings.training.spot
    sdk().TrainingJob.create(
        training_job_name=name,
        role_arn=foundation.training_role_arn,
        hyper_parameters={
            **job_inputs.hyperparameters(settings, 1, manifest),
            "task": "features",
            **job_inputs.toolkit_parameters(settings),
        },
        algorithm_specification={
            "training_image": job_inputs.training_image(settings),
            "training_input_mode": "File",
            "metric_definitions": job_inputs.metric_definitions([SECONDS]),
        },
        input_data_config=job_inputs.channels(env, source, manifest, SPLITS),
        output_data_config={
            "s3_output_path": str(s3.in_data_bucket(env, "training")),
            "kms_key_id": foundation.kms_key_arn,
        },
        resource_config=job_inputs.resources(env, 1),
        **job_inputs.network_settings(env, 1),
        stopping_condition={
            "max_runtime_in_seconds": limit,
            **({"max_wait_time_in_seconds": 2 * limit} if spot else {}),
        },
        retry_strategy=job_inputs.RETRY_STRATEGY,
        enable_managed_spot_training=spot,
        checkpoint_config={"s3_uri": str(uri)},
        tags=job_inputs.tags(settings, manifest),
        session=env.session,
        region=settings.region,
    )


def job_prefix(settings: Settings) -> str:
    """Return the start of the names of features jobs."""
    return f"{settings.prefix}-features"


def _digest(env: Environment, manifest: Manifest) -> str:
    """Return a digest of everything that decides the features. Precision `auto` depends on the instance type."""
    settings = env.settings
    hyperparameters = job_inputs.hyperparameters(settings, 1, manifest)
    return job_inputs.fingerprint(
        data=manifest.hash,
        weights=weights.pinned(settings.model),
        image=job_inputs.training_image(settings),
        instance_type=settings.training.instance_type,
        program=program_digest(),
        **{name: hyperparameters[name] for name in ("architecture", "image-size", "seed", *DECIDING)},
    )


def program_digest() -> str:
    """Return a digest of the modules of the training program that compute features, and of what they import."""
    found: dict[str, bytes] = {}
    pending = list(MODULES)
    while pending:
        module = pending.pop()
        path = job_inputs.CONTAINER / f"{module}.py"
        if module in found or not path.exists():
            continue
        found[module] = path.read_bytes()
        for node in ast.walk(ast.parse(found[module])):
            if isinstance(node, ast.Import):
                pending += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                pending.append(node.module)
    digest = hashlib.sha256()
    for module, content in sorted(found.items()):
        digest.update(f"{module} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()


def _failure(env: Environment, job: dict[str, Any]) -> str:
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    if status == "Stopped":
        reason = "it was stopped, or ran longer than training.max_runtime_seconds"
    else:
        reason = logs.with_last_lines(env, job.get("FailureReason", ""), follow.LOG_GROUP, f"{name}/")
    return (
        f"The job {name}, which computes the features of the images, ended as {status}: {sentence(reason, MESSAGE)} Its whole "
        f"log is in {follow.LOG_GROUP}, streams {name}/…. Fix the cause and run the same command again: it continues "
        "with the features that are computed already."
    )
