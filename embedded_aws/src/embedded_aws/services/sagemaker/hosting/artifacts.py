"""Prepares what a variant's instances run: checks the image, downloads the model data as the role, unpacks it, and
installs what it requires.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.runtime import Runtime
from embedded_aws.s3_uri import split
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.hosting import requirements
from embedded_aws.services.sagemaker.hosting.disk import ModelDisk
from embedded_aws.services.sagemaker.hosting.exceptions import DeploymentFailed

IMAGE = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/ray:serve-ml-sagemaker-[\w.-]+")
UNPACKED_LIMIT = 30 * 2**30  # bytes: the default storage volume of a variant


def prepare(
    runtime: Runtime,
    variant: dict[str, Any],
    disk: ModelDisk,
    region: str,
    environment: Callable[[dict[str, Any]], dict[str, str]],
) -> None:
    """Unpack a variant's model and install its requirements, unless the model exists already.

    environment: returns the environment variables of the variant's containers.
    Raises DeploymentFailed if the image cannot run here, the data cannot be downloaded, or pip fails.
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
    if disk.folder.exists() and disk.packages.exists():
        return
    draft = disk.folder.with_name(f"{disk.folder.name}.unpacking")
    for left_behind in (draft, disk.folder, disk.packages):
        shutil.rmtree(left_behind, ignore_errors=True)
    draft.mkdir(parents=True)
    if url := container["ModelDataUrl"]:
        archive = draft.with_suffix(".tar.gz")
        _download(runtime, url, archive, variant["RoleArn"], region)
        _unpack(archive, draft, url)
        archive.unlink()
    for path in draft.rglob("*"):
        if path.is_file():
            path.chmod(0o444)
    disk.create_packages()
    unpacked = ModelDisk(runtime, draft, disk.packages)
    requirements.install(runtime, unpacked, variant, environment)
    draft.rename(disk.folder)


def _download(runtime: Runtime, url: str, archive: Path, role_arn: str, region: str) -> None:
    bucket, key = split(url)
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
