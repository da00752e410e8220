"""Pretrained weights: downloaded once on the operator's machine, kept in the environment's bucket for the jobs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ops.aws import client
from ops.errors import OperatorError
from ops.outputs import Foundation
from ops.paths import WORK
from ops.settings import Settings

_CONTAINER = Path(__file__).resolve().parent.parent / "container"
_CACHE = WORK / "weights"

# In a process of its own: the operator's tools need not load torch, and ml/container is no package of theirs.
_DOWNLOAD = """
import sys, torch, vision
weights = vision.models.get_model_weights(sys.argv[1]).DEFAULT
torch.hub.download_url_to_file(weights.url, sys.argv[2], hash_prefix=weights.url.rsplit("-", 1)[1].split(".")[0])
"""


def upload(settings: Settings, foundation: Foundation) -> str:
    """The S3 prefix that holds torchvision's ImageNet weights of the architecture; downloads and uploads if missing.

    Raises OperatorError without a network, or for an architecture that has none.
    """
    architecture = settings.model.architecture
    if architecture == "small_cnn":
        raise OperatorError(
            "small_cnn has no pretrained weights: set model.pretrained = false in the environment."
        )
    s3, prefix = client("s3", settings.region), f"weights/{architecture}/"
    uri = f"s3://{foundation.bucket}/{prefix}"
    if s3.list_objects_v2(Bucket=foundation.bucket, Prefix=prefix, MaxKeys=1)["KeyCount"]:
        return uri
    file = _download(architecture)
    s3.upload_file(
        str(file),
        foundation.bucket,
        prefix + file.name,
        ExtraArgs={"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": foundation.kms_key_arn},
    )
    return uri


def _download(architecture: str) -> Path:
    _CACHE.mkdir(parents=True, exist_ok=True)
    file = _CACHE / f"{architecture}.pth"
    if file.exists():
        return file
    command = [sys.executable, "-c", _DOWNLOAD, architecture, str(file)]
    done = subprocess.run(command, cwd=_CONTAINER, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise OperatorError(
            f"The pretrained weights of {architecture} could not be downloaded ({said[0]}): connect to the network, "
            f"put a torchvision state_dict at {file}, or set model.pretrained = false."
        )
    return file
