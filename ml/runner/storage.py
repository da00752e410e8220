"""The job's objects in S3: description, status, training program, data, checkpoints, model."""

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

from .job import STATUS_FILE, Job, Status

WORKERS = 16
# Objects up to this size are read with one GetObject. boto3's transfer manager, which splits large objects, uses three
# times the processor time for a small image (10 ms instead of 3 ms).
SMALL_OBJECT_BYTES = 8 * 1024 * 1024


def parse_s3_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of s3://bucket/key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


class JobStorage:
    """S3 with the machine's credentials. Encrypts what it writes with the job's KMS key."""

    def __init__(self) -> None:
        retries: Any = {"mode": "standard", "max_attempts": 6}
        self._s3 = boto3.client("s3", config=Config(retries=retries, max_pool_connections=WORKERS))

    def read_job(self, uri: str) -> Job:
        """Read a job's description."""
        return Job.from_json(self._read(uri))

    def read_status(self, job: Job) -> Status | None:
        """Return the status that the previous attempt wrote, or None before the first attempt."""
        try:
            return Status.from_json(self._read(job.output + STATUS_FILE))
        except ClientError as error:
            # S3 returns AccessDenied for a missing object to a role without s3:ListBucket.
            if error.response["Error"]["Code"] in ("NoSuchKey", "AccessDenied"):
                return None
            raise

    def write_status(self, job: Job, status: Status) -> None:
        """Write the job's status."""
        self.put_text(job, job.output + STATUS_FILE, status.to_json().encode())

    def put_text(self, job: Job, uri: str, content: bytes, content_type: str = "application/json") -> None:
        """Write an object with text, in UTF-8."""
        bucket, key = parse_s3_uri(uri)
        self._s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=content,
            ContentType=content_type,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=job.kms_key_arn,
        )

    def upload(self, job: Job, file: Path, uri: str) -> None:
        """Upload a file of any size."""
        bucket, key = parse_s3_uri(uri)
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": job.kms_key_arn}
        self._s3.upload_file(str(file), bucket, key, ExtraArgs=encryption)

    def unpack(self, uri: str, digest: str, folder: Path) -> None:
        """Unpack a tar.gz into a folder. Raises ValueError when its SHA-256 is not the digest, hexadecimal."""
        content = self._read(uri)
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(
                f"{uri} does not have the expected SHA-256 {digest}: the object was changed; delete it and start the "
                "job again"
            )
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            archive.extractall(folder, filter="data")

    def download(self, prefix: str, folder: Path) -> int:
        """Download every object below a prefix. Returns the number of files.

        Raises ValueError for a key that would be written outside the folder.
        """
        bucket, key_prefix = parse_s3_uri(prefix)
        folder.mkdir(parents=True, exist_ok=True)
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key_prefix)
        objects = [
            item for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/")
        ]
        targets = {item["Key"]: folder / item["Key"].removeprefix(key_prefix) for item in objects}
        if outside := [key for key, target in targets.items() if ".." in target.parts]:
            raise ValueError(f"the key {outside[0]} points outside its prefix; delete the object")
        for parent in {target.parent for target in targets.values()}:
            parent.mkdir(parents=True, exist_ok=True)

        def download_one(item: dict[str, Any]) -> None:
            key = item["Key"]
            if item["Size"] > SMALL_OBJECT_BYTES:
                self._s3.download_file(bucket, key, str(targets[key]))
            else:
                targets[key].write_bytes(self._read(f"s3://{bucket}/{key}"))

        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(download_one, objects))  # list() raises the first error
        return len(objects)

    def _read(self, uri: str) -> bytes:
        bucket, key = parse_s3_uri(uri)
        body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body
