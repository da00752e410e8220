"""Pretrained weights, pinned by SHA-256: found or downloaded on this machine once, and stored in the bucket for the jobs."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

from botocore.exceptions import ClientError

from ml.jobs.data.download import download
from ops import s3
from ops.aws import error_code
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts import architectures
from ops.paths import ROOT, WORK
from ops.settings.jobs import ModelSettings

_CACHE = WORK / "weights"
_DIGITS = 16  # of the SHA-256 in the names of objects; the training program compares them with the file's


def pinned(model: ModelSettings) -> str:
    """Return the SHA-256 of the weights that training starts from, or its first digits; empty for from-scratch.

    Raises OperatorError for an architecture whose weights must be given.
    """
    if not model.pretrained:
        return ""
    digest = model.weights_sha256 or architectures.pretrained_digest(model.architecture)
    if digest is None:
        raise OperatorError(_no_weights(model.architecture))
    return digest


def upload(env: Environment) -> str:
    """Return the S3 prefix with the pretrained weights of the settings; find and upload them if they are not there yet.

    The key has the digest, so that other weights are other objects. Raises OperatorError without a network, for an
    architecture without pretrained weights, and for a file with another SHA-256.
    """
    model = env.settings.model
    digest = pinned(model)
    if not digest:
        raise OperatorError(_no_weights(model.architecture))
    name = model.architecture.replace("/", "-")
    prefix = s3.in_data_bucket(env, f"weights/{name}/{digest[:_DIGITS]}/")
    if not s3.has_objects(env, prefix):
        file = _given(env, model) if model.weights else _known(model.architecture)
        _verify(file, digest, given=bool(model.weights))
        key = f"{prefix.key}{name}-{digest[:_DIGITS]}{file.suffix}"
        env.client("s3").upload_file(str(file), prefix.bucket, key, ExtraArgs=s3.encryption(env))
    return str(prefix)


def _no_weights(architecture: str) -> str:
    return (
        f'{architecture} has no pretrained weights here: set model.mode = "from-scratch", or model.weights and '
        "model.weights_sha256 to a file of yours."
    )


def _given(env: Environment, model: ModelSettings) -> Path:
    """Return the file of the setting model.weights; one in S3 is downloaded with the permissions of the command's caller."""
    if not model.weights.startswith("s3://"):
        file = ROOT / Path(model.weights).expanduser()
        if not file.is_file():
            raise OperatorError(
                f"model.weights is {model.weights!r} and there is no file {file}: correct it."
            )
        return file
    uri = s3.S3Uri.parse(model.weights)
    file = _CACHE / f"{model.weights_sha256}{Path(uri.key).suffix}"
    if not file.is_file():
        _CACHE.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{file.name}.part")
        try:
            env.caller.client("s3").download_file(uri.bucket, uri.key, str(partial))
        except ClientError as error:
            raise OperatorError(
                f"model.weights is {uri}, which could not be read ({error_code(error)}): check the URI and that "
                "your role may read it (aws sts get-caller-identity shows your role), or give a local file."
            ) from error
        partial.replace(file)
    return file


def _known(architecture: str) -> Path:
    if architecture == architectures.EFFICIENTNET_LITE0:
        return packaged()
    file = _CACHE / architectures.TORCHVISION_WEIGHTS[architecture]
    if file.is_file():
        return file
    try:
        return download(f"{architectures.TORCHVISION_URL}{file.name}", file)
    except OperatorError as error:
        raise OperatorError(
            f"The pretrained weights of {architecture} could not be downloaded: connect to the network, put {file.name} into "
            f'{_CACHE}, use efficientnet_lite0, whose weights are installed, or set model.mode = "from-scratch" ({error})'
        ) from error


def packaged() -> Path:
    """Return the file of weights in the installed package."""
    try:
        files = metadata.files(architectures.LITE0_PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    found = [Path(str(file.locate())) for file in files if file.suffix == ".pth"]
    if not found or not found[0].is_file():
        raise OperatorError(
            f"The package {architectures.LITE0_PACKAGE}, which has the weights of efficientnet_lite0, is not installed: "
            "delete .venv and run the command again."
        )
    return found[0]


def _verify(file: Path, digest: str, *, given: bool) -> None:
    """Raise OperatorError if a file does not have the SHA-256 that it must have."""
    sha256 = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            sha256.update(block)
    found = sha256.hexdigest()
    if found.startswith(digest):
        return
    remedy = (
        "give the right file, or set model.weights_sha256 to its digest if you trust it"
        if given
        else "delete it, and run the command again"
    )
    verb = "be" if len(digest) == 64 else "start with"
    raise OperatorError(
        f"{file} is damaged or another file: its SHA-256 is {found} and must {verb} {digest}; {remedy}."
    )
