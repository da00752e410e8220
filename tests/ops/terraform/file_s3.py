"""An S3 client for the locks of states that keeps its objects in a folder, so that several processes can use it."""

from __future__ import annotations

import io
import os
import urllib.parse
import uuid
from datetime import datetime, timezone
from pathlib import Path

from botocore.exceptions import ClientError


class FileS3:
    """The operations of S3 on one object, with their conditions. refuses: codes of the next errors of put_object."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.refuses: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)

    def put_object(self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "", **_) -> dict:
        if self.refuses:
            raise _error(self.refuses.pop(0), "PutObject")
        draft = self.folder / str(uuid.uuid4())
        draft.write_bytes(Body)
        try:
            (os.link if IfNoneMatch else os.replace)(draft, self._path(Bucket, Key))
        except FileExistsError:
            raise _error("PreconditionFailed", "PutObject") from None
        finally:
            draft.unlink(missing_ok=True)
        return {"ETag": self._etag(Bucket, Key)}

    def get_object(self, Bucket: str, Key: str) -> dict:
        path = self._path(Bucket, Key)
        try:
            body, modified = path.read_bytes(), path.stat().st_mtime
        except FileNotFoundError:
            raise _error("NoSuchKey", "GetObject") from None
        return {
            "Body": io.BytesIO(body),
            "ETag": self._etag(Bucket, Key),
            "LastModified": datetime.fromtimestamp(modified, timezone.utc),
        }

    def delete_object(self, Bucket: str, Key: str, IfMatch: str) -> None:
        if self._etag(Bucket, Key) != IfMatch:
            raise _error("PreconditionFailed", "DeleteObject")
        self._path(Bucket, Key).unlink()

    def _etag(self, bucket: str, key: str) -> str:
        path = self._path(bucket, key)
        return f'"{path.stat().st_ino}"' if path.exists() else ""

    def _path(self, bucket: str, key: str) -> Path:
        return self.folder / urllib.parse.quote(f"{bucket}/{key}", safe="")


def _error(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)
