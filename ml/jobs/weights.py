"""Pretrained weights: downloaded once to this machine, and stored in the environment's bucket for the jobs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ops import child_environment, s3
from ops.environment import Environment
from ops.errors import OperatorError
from ops.paths import WORK

_CACHE = WORK / "weights"

# In a separate process: the operator's tools need not load torch.
_DOWNLOAD = """
import sys, torch, torchvision
weights = torchvision.models.get_model_weights(sys.argv[1]).DEFAULT
torch.hub.download_url_to_file(weights.url, sys.argv[2], hash_prefix=weights.url.rsplit("-", 1)[1].split(".")[0])
"""


def upload(env: Environment) -> str:
    """Return the S3 prefix of torchvision's ImageNet weights of the architecture; download and upload missing ones.

    Raises OperatorError without a network, or for an architecture without pretrained weights.
    """
    architecture = env.settings.model.architecture
    if architecture == "small_cnn":
        raise OperatorError(
            'small_cnn has no pretrained weights: set model.mode = "from-scratch" in the environment.'
        )
    prefix = s3.in_data_bucket(env, f"weights/{architecture}/")
    if not s3.has_objects(env, prefix):
        file = _download(architecture)
        env.client("s3").upload_file(
            str(file), prefix.bucket, f"{prefix.key}{file.name}", ExtraArgs=s3.encryption(env)
        )
    return str(prefix)


def _download(architecture: str) -> Path:
    _CACHE.mkdir(parents=True, exist_ok=True)
    file = _CACHE / f"{architecture}.pth"
    if file.exists():
        return file
    command = [sys.executable, "-c", _DOWNLOAD, architecture, str(file)]
    environment = child_environment.build("package")
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        last_line = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise OperatorError(
            f"The pretrained weights of {architecture} could not be downloaded ({last_line[0]}): connect to the network, "
            f'put a torchvision state_dict at {file}, or set model.mode = "from-scratch".'
        )
    return file
