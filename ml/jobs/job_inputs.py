"""What all training jobs share, trials of a search included: image, program, channels, metrics, fingerprint."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ml.jobs import weights
from ml.jobs.data.manifest import Manifest
from ops import child_environment, packaging, s3
from ops.aws import error_code
from ops.environment import Environment
from ops.facts import images
from ops.facts.instance_types import gpus, has_local_nvme
from ops.paths import ROOT
from ops.settings import Settings
from ops.waiting import Pause

CONTAINER = Path(__file__).resolve().parent.parent / "container"
OBJECTIVE = "validation:accuracy"
PROGRAM = "train.py"
ARCHIVE = "source.tar.gz"
RETRY_STRATEGY = {"maximum_retry_attempts": 1}  # after an error of SageMaker itself only
UNTUNED = {"batch-size": "64", "learning-rate": "0.003", "optimizer": "adamw"}  # the program's defaults
CODE = "code"  # the channel that brings the program to a container, which has no network to fetch it with

_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
METRICS = [
    *(
        f"{split}:{name}"
        for split in ("train", "validation", "test")
        for name in ("loss", "accuracy", "top5_accuracy", "balanced_accuracy")
    ),
    "images_per_second",
    "learning_rate",
]


@dataclass(frozen=True)
class Source:
    """The training program in S3.

    uri: s3:// URI of its tar.gz.
    digest: SHA-256 of its contents, hexadecimal.
    """

    uri: str
    digest: str


def upload_source(env: Environment) -> Source:
    """Upload the training program to S3, once per content."""
    body, digest = packaging.source_bundle(CONTAINER)
    return Source(str(s3.put_once(env, f"code/{digest[:16]}/{ARCHIVE}", body)), digest)


def metric_definitions(metrics: Sequence[str] = METRICS) -> list[dict[str, str]]:
    """Return how SageMaker reads the metrics from the program's log lines (`name=value`)."""
    return [{"name": name, "regex": rf"(?<![\w:]){name}={_NUMBER}"} for name in metrics]


def hyperparameters(settings: Settings, epochs: int, manifest: Manifest) -> dict[str, str]:
    """Return the hyperparameters that are not tuned, as arguments of the training program.

    It fails if the number of images in a channel is not that of the manifest.
    """
    counts = {split: sum(by_class.values()) for split, by_class in manifest.counts.items()}
    return {
        "expected-images": ",".join(f"{split}={count}" for split, count in counts.items()),
        "data-hash": manifest.hash,
        "architecture": settings.model.architecture,
        "image-size": str(settings.model.image_size),
        "mode": settings.model.mode,
        "head": settings.model.head,
        **settings.recipe.hyperparameters(),
        "epochs": str(epochs),
        "weight-decay": str(settings.training.weight_decay),
        "seed": str(settings.training.seed),
        **UNTUNED,
    }


def toolkit_parameters(settings: Settings) -> dict[str, str]:
    """Return the hyperparameters with which SageMaker's training toolkit starts the program.

    On an instance with several GPUs, it starts one process per GPU with torchrun. The parameter is always there, as the
    searches of a warm start must have the same number of hyperparameters.
    """
    return {
        "sagemaker_program": PROGRAM,
        "sagemaker_submit_directory": f"/opt/ml/input/data/{CODE}/{ARCHIVE}",
        "sagemaker_region": settings.region,
        "sagemaker_torch_distributed_enabled": str(gpus(settings.training.instance_type) > 1).lower(),
    }


def channels(
    env: Environment, source: Source, manifest: Manifest, splits: list[str], features: str = ""
) -> list[dict[str, Any]]:
    """Return the input channels: one per split, `code`, and `weights` for a pretrained network.

    Shards are read once and in order, so that they are streamed (FastFile) and need no room on the volume.

    features: s3:// prefix of the features of a frozen backbone, for a channel of that name. The images are then not
    read, and with FastFile not downloaded either.
    """
    uris = split_uris(env, manifest, splits)
    uris[CODE] = source.uri.removesuffix(ARCHIVE)
    if features:
        uris["features"] = features
    if env.settings.model.pretrained:
        uris["weights"] = weights.upload(env)
    return [
        {
            "channel_name": name,
            "input_mode": "FastFile" if (manifest.shards or features) and name in splits else "File",
            "data_source": {
                "s3_data_source": {
                    "s3_data_type": "S3Prefix",
                    "s3_uri": uri,
                    "s3_data_distribution_type": "FullyReplicated",
                }
            },
        }
        for name, uri in uris.items()
    ]


def split_uris(env: Environment, manifest: Manifest, splits: list[str]) -> dict[str, str]:
    """Return the S3 prefix of each split's images or shards."""
    return {split: str(s3.in_data_bucket(env, manifest.folder(split))) for split in splits}


def host_packages() -> list[str]:
    """Return the pip requirements of training on an EC2 host, with the PyTorch that this repository is tested with."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    torch = re.findall(r'"(torch(?:vision)?==[0-9.]+)"', text)
    return ["boto3", "numpy", "pillow", *sorted(torch)]


def resources(env: Environment, count: int) -> dict[str, Any]:
    """Return the job's instances, with volumes encrypted by the environment's key where the type allows a key."""
    training = env.settings.training
    found: dict[str, Any] = {
        "instance_type": training.instance_type,
        "instance_count": count,
        "volume_size_in_gb": training.volume_size_gb,
    }
    if not has_local_nvme(training.instance_type):
        found["volume_kms_key_id"] = env.outputs.foundation.kms_key_arn
    return found


def network_settings(env: Environment, count: int) -> dict[str, Any]:
    """Return the job's network and isolation settings: its containers reach each other at most.

    SageMaker itself transfers inputs and results; in a private network, through the job's subnets.
    """
    found: dict[str, Any] = {"enable_network_isolation": True}
    if network := env.outputs.foundation.network:
        found["vpc_config"] = {
            "subnets": network.subnet_ids,
            "security_group_ids": network.training_security_group_ids,
        }
    if count > 1 and env.settings.network.encrypts_traffic:
        found["enable_inter_container_traffic_encryption"] = True
    return found


def training_image(settings: Settings) -> str:
    """Return the URI of the image for the training instance type."""
    return images.training_image(settings.region, settings.training.instance_type)


def serving_image(settings: Settings) -> str:
    """Return the URI of the image for the endpoint's instance type."""
    return images.serving_image(settings.region, settings.serving.instance_type)


def tags(settings: Settings, manifest: Manifest) -> list[dict[str, str]]:
    """Return the job's tags: the cost allocation tags of the stacks, and the data set's hash."""
    return [*cost_tags(settings), {"key": "DataHash", "value": manifest.hash[:16]}]


def cost_tags(settings: Settings) -> list[dict[str, str]]:
    """Return the cost allocation tags of the stacks, for a job."""
    values = {
        "Project": settings.project,
        "Environment": settings.environment,
        "ManagedBy": "invoke",
        **settings.cost_tags,
    }
    return [{"key": key, "value": value} for key, value in values.items()]


def git_commit() -> str:
    """Return the commit of the working tree, with `-dirty` if it has changes; "unknown" outside a repository."""
    command = ["git", "-C", str(CONTAINER), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        environment = child_environment.build("program")
        done = subprocess.run(
            command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=True
        )
        return done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def create(request: Callable[[], None], patience: float = 90) -> None:
    """Create a job, unless another command has created it in the same moment: equal inputs have an equal name.

    Retries while SageMaker cannot assume the job's role, as IAM takes seconds to propagate a new role.

    request: creates the job.
    patience: seconds after which the error is raised.
    """
    pause = Pause(shortest=3)
    while True:
        try:
            return request()
        except ClientError as error:
            if error_code(error) == "ResourceInUse":
                return
            refused = error_code(error) == "ValidationException" and "assume" in str(error)
            if not refused or pause.waited > patience:
                raise
        pause()


def fingerprint(**inputs: Any) -> str:
    """Return a digest of everything that decides a job's result: equal inputs, equal job."""
    return sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()
