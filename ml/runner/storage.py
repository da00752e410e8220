"""S3: what a job reads, and what it leaves."""

from __future__ import annotations

import hashlib
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .job import STATUS, Job, Status

WORKERS = 16
# Bytes up to which one plain request is best: boto3's transfers, which cut large objects in parts, take three times the
# processor time for a picture (10 ms in place of 3).
SMALL = 8 * 1024 * 1024


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of s3://bucket/key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class Storage:
    """S3 by the machine's own credentials; what it writes is encrypted with the job's key."""

    def __init__(self) -> None:
        retries = {"mode": "standard", "max_attempts": 6}
        self._s3 = boto3.client("s3", config=Config(retries=retries, max_pool_connections=WORKERS))  # type: ignore[arg-type]

    def read_job(self, uri: str) -> Job:
        bucket, key = split(uri)
        return Job.from_json(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    def read_status(self, job: Job) -> Status | None:
        """What the attempt before has left; None before the first."""
        bucket, key = split(job.output + STATUS)
        try:
            return Status.from_json(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            # Without s3:ListBucket on it, what is not there is denied.
            if error.response["Error"]["Code"] in ("NoSuchKey", "AccessDenied"):
                return None
            raise

    def write_status(self, job: Job, status: Status) -> None:
        self.put(job, job.output + STATUS, status.to_json().encode(), "application/json")

    def put(self, job: Job, uri: str, body: bytes, content_type: str = "application/octet-stream") -> None:
        bucket, key = split(uri)
        self._s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=body,
            ContentType=content_type,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=job.kms_key_arn,
        )

    def upload(self, job: Job, file: Path, uri: str) -> None:
        bucket, key = split(uri)
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": job.kms_key_arn}
        self._s3.upload_file(str(file), bucket, key, ExtraArgs=encryption)

    def unpack(self, uri: str, digest: str, folder: Path) -> None:
        """Unpack a tar.gz, if its SHA-256 is the one given: what runs here is what was asked for. Raises ValueError."""
        bucket, key = split(uri)
        content = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(
                f"{uri} is not what was asked for: somebody has changed it; remove it and start anew"
            )
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            archive.extractall(folder, filter="data")

    def fetch(self, prefix: str, folder: Path) -> int:
        """Copy what is below a prefix. Returns how many files there are. Raises ValueError for a key that leads out."""
        bucket, start = split(prefix)
        folder.mkdir(parents=True, exist_ok=True)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
        found = [item for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")]
        targets = {item["Key"]: folder / item["Key"].removeprefix(start) for item in found}
        if astray := [key for key, target in targets.items() if ".." in target.parts]:
            raise ValueError(f"the key {astray[0]} leads out of its folder: remove it")
        for parent in {target.parent for target in targets.values()}:
            parent.mkdir(parents=True, exist_ok=True)

        def copy(item: dict[str, Any]) -> None:
            key = item["Key"]
            if item["Size"] > SMALL:
                self._s3.download_file(bucket, key, str(targets[key]))
            else:
                targets[key].write_bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(copy, found))
        return len(found)
