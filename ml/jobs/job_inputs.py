"""What every training job shares, alone or in a tuning job: image, program, channels, metrics."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from botocore.exceptions import ClientError

from ml.jobs import weights
from ml.jobs.follow import pauses
from ops import packaging
from ops.aws import client, error_code
from ops.facts.instance_types import has_local_nvme
from ops.outputs import Foundation
from ops.paths import ROOT
from ops.settings import Settings

CONTAINER = Path(__file__).resolve().parent.parent / "container"
OBJECTIVE = "validation:accuracy"
PROGRAM = "train.py"
ARCHIVE = "source.tar.gz"
CODE = "code"  # the channel that brings the program to a container, which has no network to fetch it with

# AWS Deep Learning Containers: the training image, and the Ray Serve image that is the successor of its inference image.
_REGISTRY = "763104351884.dkr.ecr.{region}.amazonaws.com"
_TRAINING_IMAGE = "pytorch:2.13-{device}-amzn2023-sagemaker"
_SERVING_IMAGE = "ray:serve-ml-sagemaker-{device}-v1"

_NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
METRICS = [
    *(f"{split}:{name}" for split in ("train", "validation", "test") for name in ("loss", "accuracy")),
    "images_per_second",
]


@dataclass(frozen=True)
class Source:
    """The training program in S3. uri: of the tar.gz. digest: SHA-256 of its contents, hexadecimal."""

    uri: str
    digest: str


def upload_source(settings: Settings, foundation: Foundation) -> Source:
    """Put the training program into S3, once per content."""
    body, digest = packaging.source_bundle(CONTAINER)
    key = f"code/{digest[:16]}/{ARCHIVE}"
    s3 = client("s3", settings.region)
    if not s3.list_objects_v2(Bucket=foundation.bucket, Prefix=key, MaxKeys=1)["KeyCount"]:
        s3.put_object(
            Bucket=foundation.bucket,
            Key=key,
            Body=body,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=foundation.kms_key_arn,
        )
    return Source(f"s3://{foundation.bucket}/{key}", digest)


def metric_definitions() -> list[dict[str, str]]:
    """How SageMaker finds the metrics in the program's log lines (`name=value`)."""
    return [{"name": name, "regex": rf"(?<![\w:]){name}={_NUMBER}"} for name in METRICS]


def hyperparameters(settings: Settings, epochs: int) -> dict[str, str]:
    """The hyperparameters that are not tuned, as the training program takes them."""
    return {
        "architecture": settings.model.architecture,
        "image-size": str(settings.model.image_size),
        "pretrained": str(settings.model.pretrained).lower(),
        "epochs": str(epochs),
        "weight-decay": str(settings.training.weight_decay),
        "seed": str(settings.training.seed),
    }


def toolkit_parameters(settings: Settings) -> dict[str, str]:
    """What SageMaker's training toolkit needs to start the program, among its hyperparameters."""
    return {
        "sagemaker_program": PROGRAM,
        "sagemaker_submit_directory": f"/opt/ml/input/data/{CODE}/{ARCHIVE}",
        "sagemaker_region": settings.region,
    }


def channels(
    settings: Settings, foundation: Foundation, source: Source, dataset: str, splits: list[str]
) -> list[dict]:
    """Input channels: one for each split, named after it, `code`, and `weights` for a pretrained network."""
    uris = split_uris(foundation, dataset, splits)
    uris[CODE] = source.uri.removesuffix(ARCHIVE)
    if settings.model.pretrained:
        uris["weights"] = weights.upload(settings, foundation)
    return [
        {
            "channel_name": name,
            "input_mode": "File",
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


def split_uris(foundation: Foundation, dataset: str, splits: list[str]) -> dict[str, str]:
    """The S3 prefix of each split's pictures."""
    return {split: f"s3://{foundation.bucket}/datasets/{dataset}/{split}/" for split in splits}


def host_packages() -> list[str]:
    """What a training on a machine of one's own needs, as pip takes it: PyTorch as this repository is tested with."""
    text = (ROOT / "pyproject.toml").read_text()
    torch = re.findall(r'"(torch(?:vision)?==[0-9.]+)"', text)
    return ["boto3", "numpy", "pillow", *sorted(torch)]


def resources(settings: Settings, foundation: Foundation, count: int) -> dict:
    """The job's instances, and their volumes encrypted with the environment's key where they take one."""
    training = settings.training
    found = {
        "instance_type": training.instance_type,
        "instance_count": count,
        "volume_size_in_gb": training.volume_size_gb,
    }
    if not has_local_nvme(training.instance_type):
        found["volume_kms_key_id"] = foundation.kms_key_arn
    return found


def confinement(settings: Settings, foundation: Foundation, count: int) -> dict:
    """What the containers can reach: each other at most. SageMaker brings their inputs and takes their results.

    In a private network it does that through the job's subnets, and what instances tell each other is encrypted.
    """
    found: dict = {"enable_network_isolation": True}
    if network := foundation.network:
        found["vpc_config"] = {
            "subnets": network.subnet_ids,
            "security_group_ids": network.training_security_group_ids,
        }
    if count > 1 and settings.network.encrypts_traffic:
        found["enable_inter_container_traffic_encryption"] = True
    return found


def training_image(settings: Settings) -> str:
    """The AWS Deep Learning Container for the training instance type."""
    return f"{_registry(settings)}/{_TRAINING_IMAGE.format(device=_device(settings.training.instance_type, 'cu133'))}"


def serving_image(settings: Settings) -> str:
    """The AWS Deep Learning Container for the endpoint's instance type."""
    return f"{_registry(settings)}/{_SERVING_IMAGE.format(device=_device(settings.serving.instance_type, 'cuda'))}"


def tags(settings: Settings, manifest) -> list[dict[str, str]]:
    """Cost-allocation tags, as the stacks have them, and the data a job reads."""
    values = {
        "Project": settings.project,
        "Environment": settings.environment,
        "ManagedBy": "invoke",
        **settings.cost_tags,
        "DataHash": manifest.hash[:16],
    }
    return [{"key": key, "value": value} for key, value in values.items()]


def git_commit() -> str:
    """The commit of the working tree, with `-dirty` if it has changes; "unknown" outside a repository."""
    command = ["git", "-C", str(CONTAINER), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def with_fresh_role(create: Callable[[], None], patience: float = 90) -> None:
    """Create a job, anew while SageMaker cannot assume its role: IAM takes seconds to spread one just made.

    patience: seconds until the refusal counts.
    """
    deadline = time.monotonic() + patience
    for _ in pauses(shortest=3):
        try:
            return create()
        except ClientError as error:
            refused = error_code(error) == "ValidationException" and "assume" in str(error)
            if not refused or time.monotonic() > deadline:
                raise


def is_missing(error: ClientError) -> bool:
    """Whether SageMaker means that there is no such job."""
    message = error.response.get("Error", {}).get("Message", "")
    return error_code(error) in ("ResourceNotFound", "ResourceNotFoundException") or (
        error_code(error) == "ValidationException"
        and bool(re.search(r"not found|does not exist|could not find|can't find", message, re.I))
    )


def fingerprint(**parts) -> str:
    """A digest of everything that decides a job's result: the same parts, the same job."""
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _registry(settings: Settings) -> str:
    return _REGISTRY.format(region=settings.region)


def _device(instance_type: str, gpu: str) -> str:
    return gpu if instance_type.split(".")[1][0] in "gp" else "cpu"
