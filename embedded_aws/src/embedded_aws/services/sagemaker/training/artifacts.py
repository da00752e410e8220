"""Uploads of a job, made as its role: model, output data, checkpoints."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from embedded_aws.s3_uri import split
from embedded_aws.services.sagemaker.training.channels import JobFailure, list_objects
from embedded_aws.services.sagemaker.training.objects import RoleObjects, S3Error

# S3's errors for a body that differs from what its hash, checksum or length said: the file changed while it was sent.
_CHANGED = {"BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"}


class Artifacts:
    """Uploads below the `OutputDataConfig` of one job."""

    def __init__(self, s3: Any, output: dict[str, Any], job_name: str) -> None:
        self._s3 = s3
        self._uri = f"{output['S3OutputPath'].rstrip('/')}/{job_name}/output"
        self._compressed = output.get("CompressionType", "GZIP") == "GZIP"
        self._extra = {}
        if output.get("KmsKeyId"):
            self._extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": output["KmsKeyId"]}

    def upload(self, name: str, folders: list[Path]) -> str:
        """Upload the merged contents of one folder of every instance as `name`; return the S3 URI.

        If two instances wrote the same path, the first instance's file is uploaded. Without any file nothing is
        uploaded, and no object exists at the URI, as on AWS. Raises JobFailure.
        """
        files: dict[str, Path] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                files.setdefault(path.relative_to(folder).as_posix(), path)
        try:
            if not self._compressed:
                for relative, path in files.items():
                    if path.is_file():
                        self._put(path, f"{self._uri}/{name}/{relative}")
                return f"{self._uri}/{name}/"
            uri = f"{self._uri}/{name}.tar.gz"
            if not any(path.is_file() for path in files.values()):
                return uri
            with tempfile.NamedTemporaryFile(dir=folders[0].parent, suffix=".tar.gz") as archive:
                with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:
                    for relative, path in files.items():
                        tar.add(path, arcname=relative, recursive=False)
                archive.flush()
                self._put(Path(archive.name), uri)
            return uri
        except (ClientError, OSError) as error:
            raise JobFailure(f"ClientError: Artifact upload failed: {_cause(error)}") from error

    def _put(self, path: Path, uri: str) -> None:
        put_file(self._s3, path, uri, self._extra)


class Checkpoints:
    """Synchronizes the checkpoint folders of a job's instances with an S3 prefix, in both directions."""

    def __init__(self, s3: Any, objects: RoleObjects, uri: str, folders: list[Path]) -> None:
        """s3: a client, for uploads. folders: one per instance."""
        self._objects = objects
        self._s3, self._uri, self._folders = s3, uri.rstrip("/"), folders
        self._sent: dict[Path, tuple[int, int]] = {}

    def restore(self) -> None:
        """Download existing checkpoints to every instance. Raises JobFailure."""
        bucket, prefix = split(self._uri + "/")
        try:
            for folder in self._folders:
                folder.mkdir(parents=True, exist_ok=True)
                for _, key, relative in list_objects(self._objects, bucket, prefix):
                    path = folder / relative
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(self._objects.read(bucket, key))
                    self._sent[path] = _version(path)
        except (S3Error, OSError) as error:
            raise JobFailure(f"ClientError: Checkpoint download failed: {_cause(error)}") from error

    def save(self) -> None:
        """Upload files that are new or changed since the last call. Raises JobFailure."""
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                try:
                    version = _version(path)
                    if path.is_file() and self._sent.get(path) != version:
                        put_file(self._s3, path, f"{self._uri}/{path.relative_to(folder).as_posix()}", {})
                        self._sent[path] = version
                except FileNotFoundError:
                    continue  # the program replaced or removed it; the next call handles it
                except ClientError as error:
                    if error.response["Error"]["Code"] in _CHANGED:
                        continue  # the program was writing it; the next call sends it
                    raise JobFailure(f"ClientError: Checkpoint upload failed: {_cause(error)}") from error


def put_file(s3: Any, path: Path, uri: str, extra: dict[str, str]) -> None:
    bucket, key = split(uri)
    with path.open("rb") as file:
        s3.put_object(Bucket=bucket, Key=key, Body=file, **extra)


def _version(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _cause(error: Exception) -> str:
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return str(error)
