"""Prepares what a variant's instances run: checks the image, downloads the model data as the role, unpacks it."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from packaging.requirements import InvalidRequirement, Requirement

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.hosting.exceptions import DeploymentFailed

IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/ray:serve-ml-sagemaker-[\w.-]+")
UNPACKED_LIMIT = 30 * 2**30  # bytes: the default storage volume of a variant


def prepare(runtime: Runtime, variant: dict[str, Any], folder: Path, region: str) -> None:
    """Unpack a variant's model into `folder`, unless it exists already.

    Raises DeploymentFailed if the image or its requirements cannot run here, or the data cannot be downloaded.
    """
    container = variant["Container"]
    if not IMAGE.fullmatch(container["Image"]):
        raise DeploymentFailed(
            f"The image {container['Image']} cannot run on the embedded AWS: it runs AWS's Ray Serve images, "
            "repository ray, tag serve-ml-sagemaker-*."
        )
    if "SM_RAYSERVE_APP" not in container["Environment"]:
        raise DeploymentFailed(
            f"The container of production variant {variant['VariantName']} has no environment variable "
            "SM_RAYSERVE_APP=module:application, which the embedded AWS needs."
        )
    if folder.exists():
        return
    draft = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    if url := container["ModelDataUrl"]:
        archive = draft.with_suffix(".tar.gz")
        _download(runtime, url, archive, variant["RoleArn"], region)
        _unpack(archive, draft, url)
        archive.unlink()
    _check_requirements(draft / "code" / "requirements.txt")
    for path in draft.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    draft.rename(folder)


def _download(runtime: Runtime, url: str, archive: Path, role_arn: str, region: str) -> None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    try:
        s3 = roles.client(runtime, "s3", role_arn, region)
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        with archive.open("wb") as file:
            shutil.copyfileobj(body, file, 2**20)
    except (ClientError, BotoCoreError, RoleNotAssumable) as error:
        raise DeploymentFailed(
            f'Failed to download model data for container "container_1" from URL: "{url}". Please ensure that '
            "there is an object located at the URL and that the role passed to CreateModel has permissions to "
            "download the object."
        ) from error


def _unpack(archive: Path, folder: Path, url: str) -> None:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            size = sum(member.size for member in tar)
            if size > UNPACKED_LIMIT:
                raise DeploymentFailed(f'Model data from URL "{url}" unpacks to {size} bytes: no space left.')
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DeploymentFailed(
            f'Failed to extract model data archive for container "container_1" from URL "{url}". Please ensure '
            f"that the object located at the URL is a valid tar.gz archive: {error}"
        ) from error


def _check_requirements(path: Path) -> None:
    """Check that the requirements are installed. AWS's image would install them."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.split(" #")[0].strip()
        if not text or text.startswith(("#", "-")):
            continue
        try:
            requirement = Requirement(text)
            satisfied = requirement.marker is not None and not requirement.marker.evaluate()
            satisfied = satisfied or requirement.specifier.contains(
                importlib.metadata.version(requirement.name), prereleases=True
            )
        except (InvalidRequirement, importlib.metadata.PackageNotFoundError):
            satisfied = False
        if not satisfied:
            raise DeploymentFailed(
                f"code/requirements.txt requires {text}, which is not installed here. The embedded AWS installs nothing "
                "for a container: install it in the Python environment that runs the embedded AWS."
            )
