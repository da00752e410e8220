"""Make a data set's prefix in S3 match its manifest, sending only what has changed.

The order makes an interrupted upload visible, and lets the next run finish it: write the journal, put images, delete
stale keys, write manifest.json and current.json, delete the journal. While there is a journal, the prefix is between
two manifests and `current` refuses it. An upload does not touch other data sets. Of two commands that upload the same
data set, the second waits: it cannot create the journal.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import mimetypes
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, Field

from ml.container import images
from ml.jobs.data import conversion, other_upload
from ml.jobs.data.manifest import ImageEntry, Manifest
from ml.jobs.data.parallel import Progress, each, quiet
from ops import s3
from ops.aws import error_code
from ops.documents import UnreadableDocument, decode
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.retries import MAX_POOL_CONNECTIONS
from ops.text import clause

PREFIX = "datasets"
MANIFEST = "manifest.json"
JOURNAL = "upload-in-progress.json"
CURRENT = "current.json"
_FLUSH_SECONDS = 5
_MAX_WORKERS = 32


class MissingData(Refused):
    """An environment has no data set yet."""


@dataclass(frozen=True)
class Uploaded:
    """What an upload did: numbers of images sent, unchanged and deleted. manifest: with the ETags of the objects."""

    manifest: Manifest
    manifest_key: str
    sent: int
    sent_bytes: int
    unchanged: int
    deleted: int


class _Pointer(BaseModel):
    """The content of current.json: which data set is the current one, and the hash of its manifest."""

    dataset: str
    manifest_key: Annotated[str, Field(pattern=rf"^{PREFIX}/[a-z0-9-]{{1,200}}/{re.escape(MANIFEST)}$")]
    hash: str


def upload(env: Environment, manifest: Manifest, progress: Progress = quiet) -> Uploaded:
    """Upload the images of a manifest, and make it the current data set.

    An image is not sent again if the last manifest, or the journal of an interrupted upload, has its hash and the
    bucket still lists that object with the same size and ETag. Waits for another command's upload of the data set.
    Raises OperatorError if a put or a read fails.

    manifest: needs the paths of its images (`sources`).
    """
    store = _Store(env, f"{PREFIX}/{manifest.dataset}/")
    with _operator_errors(env):
        other_upload.wait(env, s3.in_data_bucket(env, f"{store.prefix}{JOURNAL}"), progress)
        listed = store.listed()
        known = [m.files for name in (MANIFEST, JOURNAL) if name in listed and (m := store.manifest(name))]
        etags = {}
        for key, image in manifest.files.items():
            stored = listed.get(key)
            if stored and any(_same(files.get(key), image, stored) for files in known):
                etags[key] = stored[0]
        unchanged = len(etags)
        to_send = [key for key in manifest.files if key not in etags]
        stale = [key for key in listed if key not in manifest.files and key not in (MANIFEST, JOURNAL)]
        if to_send or stale:
            if not _send(store, manifest, to_send, etags, progress, resumes=JOURNAL in listed):
                return upload(env, manifest, progress)  # another command began in the meantime
            store.delete(stale, progress)
        result = manifest.stored(etags)
        store.put(MANIFEST, result.to_json().encode())
        pointer = _Pointer(
            dataset=manifest.dataset, manifest_key=f"{store.prefix}{MANIFEST}", hash=manifest.hash
        )
        _Store(env, f"{PREFIX}/").put(CURRENT, pointer.model_dump_json().encode())
        if to_send or stale or JOURNAL in listed:
            store.delete([JOURNAL])
    sent_bytes = sum(manifest.files[key].size for key in to_send)
    return Uploaded(result, pointer.manifest_key, len(to_send), sent_bytes, unchanged, len(stale))


def current(env: Environment) -> Manifest:
    """Return the manifest of the current data set. Waits for another command's upload of it.

    Raises OperatorError if there is none, if its upload was interrupted, or if its objects do not match.
    """
    name, command = env.settings.environment, f"./inv data{env.settings.flag}"
    with _operator_errors(env):
        uri = s3.in_data_bucket(env, f"{PREFIX}/{CURRENT}")
        content = s3.get(env, uri)
        if content is None:
            raise MissingData(f"Environment {name} has no data: run {command} first.")
        again = f"run {command} again"
        pointer = decode(_Pointer, content, what=f"The pointer to the current data, {uri},", remedy=again)
        uri = s3.in_data_bucket(env, pointer.manifest_key)
        content = s3.get(env, uri)
        if content is None:
            raise MissingData(f"Environment {name} has no data (there is no {uri}): run {command} first.")
        found = Manifest.from_json(content, what=f"The data manifest {uri}", remedy=again)
        journal = s3.in_data_bucket(env, f"{PREFIX}/{found.dataset}/{JOURNAL}")
        if s3.has_objects(env, journal):
            other_upload.wait(env, journal)
            if not s3.has_objects(env, journal):
                return current(env)
        if s3.has_objects(env, journal) or found.hash != pointer.hash:
            raise OperatorError(
                f"The upload of data set {found.dataset} of environment {name} was interrupted: run {command} again to "
                "finish it."
            )
    return found


@dataclass(frozen=True)
class _Store:
    """One prefix of the data bucket; keys are relative to it."""

    env: Environment
    prefix: str

    def put(self, key: str, body: bytes, **parameters: str) -> str:
        """Write an object, which S3 checks against its SHA-256. Returns the ETag. parameters: further ones of PutObject."""
        answer = s3.put_object(
            self.env,
            f"{self.prefix}{key}",
            body,
            ContentType=_media_type(key, body),
            ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),
            **parameters,
        )
        return str(answer["ETag"])

    def manifest(self, key: str) -> Manifest | None:
        """Return a stored manifest or journal; None if it is damaged, which only makes the upload send everything."""
        content = s3.get(self.env, s3.in_data_bucket(self.env, f"{self.prefix}{key}"))
        try:
            return None if content is None else Manifest.from_json(content)
        except UnreadableDocument:
            return None

    def listed(self) -> dict[str, tuple[str, int]]:
        """Return the ETag and the bytes of every object below the prefix, by key."""
        pages = self.env.client("s3").get_paginator("list_objects_v2")
        return {
            entry["Key"][len(self.prefix) :]: (entry["ETag"], entry["Size"])
            for page in pages.paginate(Bucket=self.env.data_bucket, Prefix=self.prefix)
            for entry in page.get("Contents", [])
        }

    def delete(self, keys: list[str], progress: Progress = quiet) -> None:
        """Delete objects. Raises OperatorError if S3 does not delete one."""
        for start in range(0, len(keys), s3.DELETE_LIMIT):
            batch = [{"Key": f"{self.prefix}{key}"} for key in keys[start : start + s3.DELETE_LIMIT]]
            s3.delete(self.env, self.env.data_bucket, batch)
            progress("deleting", start + len(batch), len(keys))


def _media_type(key: str, body: bytes) -> str:
    kind = images.identify(body[: images.HEAD_BYTES])
    known: str | None = images.MEDIA_TYPES.get(kind) or mimetypes.guess_type(key)[0]
    return known or "application/octet-stream"


def _same(old: ImageEntry | None, new: ImageEntry, stored: tuple[str, int]) -> bool:
    """Return whether a stored object is that of a manifest's image. stored: its ETag and bytes."""
    if old is None or (old.sha256, old.converted) != (new.sha256, new.converted):
        return False
    return stored == (old.etag, stored[1] if new.converted else new.size)


class _Journal:
    """The journal of one upload: what is stored so far, rewritten every few seconds.

    etags: of the images that are stored, by key; other threads keep adding.
    """

    def __init__(self, store: _Store, manifest: Manifest, etags: dict[str, str]) -> None:
        self._store, self._manifest, self._etags = store, manifest, etags
        self._lock, self._written = threading.Lock(), time.monotonic()

    def write(self, **parameters: str) -> None:
        """Write it now. parameters: further ones of PutObject."""
        done = dict(self._etags)
        files = {key: self._manifest.files[key] for key in done}
        content = Manifest(self._manifest.dataset, files).stored(done).to_json()
        self._store.put(JOURNAL, content.encode(), **parameters)
        self._written = time.monotonic()

    def refresh(self) -> None:
        """Write it if it is old, unless another thread does."""
        if time.monotonic() - self._written > _FLUSH_SECONDS and self._lock.acquire(blocking=False):
            try:
                self.write()
            finally:
                self._lock.release()


def _send(
    store: _Store,
    manifest: Manifest,
    keys: list[str],
    etags: dict[str, str],
    progress: Progress,
    *,
    resumes: bool,
) -> bool:
    """Put the images, and add the ETag of each to `etags`. Update the journal every few seconds, and on interruption.

    Returns False, and does nothing, if another command has created the journal. resumes: an old one is there.
    """
    journal = _Journal(store, manifest, etags)
    converting = threading.BoundedSemaphore(os.cpu_count() or 1)  # a decoded image may take 200 MB

    def put(key: str) -> None:
        body = _read(manifest.sources[key], manifest.files[key])
        if manifest.files[key].converted:
            with converting:
                body = conversion.to_png(body)
        etags[key] = store.put(key, body)
        journal.refresh()

    try:
        journal.write(**({} if resumes else {"IfNoneMatch": "*"}))
    except ClientError as error:
        if error_code(error) not in ("PreconditionFailed", "ConditionalRequestConflict"):
            raise
        return False
    try:
        for _ in each(put, keys, "uploading", progress, min(_MAX_WORKERS, MAX_POOL_CONNECTIONS)):
            pass
    except BaseException:
        # What interrupted the upload may prevent this too; then the next run sends a little more.
        with contextlib.suppress(ClientError, BotoCoreError):
            journal.write()
        raise
    return True


def _read(path: Path, image: ImageEntry) -> bytes:
    """Return the content of a file. Raises OperatorError if it is not that of the manifest any more."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path} could not be read ({error.strerror}): run again.") from error
    if hashlib.sha256(content).hexdigest() != image.sha256:
        raise OperatorError(f"{path} changed while it was being uploaded: run again.")
    return content


@contextlib.contextmanager
def _operator_errors(env: Environment) -> Iterator[None]:
    """Turn errors of S3 into OperatorErrors."""
    try:
        yield
    except ClientError as error:
        if error_code(error) == "NoSuchBucket":
            raise OperatorError(
                f"Bucket {env.data_bucket} does not exist: run ./inv apply --stack foundation{env.settings.flag} first."
            ) from error
        reason = clause(error.response["Error"].get("Message", ""))
        raise OperatorError(
            f"{error.operation_name} in bucket {env.data_bucket} failed with {error_code(error)} ({reason}): fix the cause "
            "and run the same command again; it does not send again what is already stored."
        ) from error
    except BotoCoreError as error:
        raise OperatorError(
            f"Bucket {env.data_bucket} could not be reached ({error}): check the connection and run the same command "
            "again; it does not send again what is already stored."
        ) from error
