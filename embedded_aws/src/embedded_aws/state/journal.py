"""Journal of writes: on disk before a write is answered, so that `kill -9` between two snapshots loses nothing.

A record holds the result of a write, not the request: for S3 the versions of an object, a part of an upload or the
settings of a bucket; for other services the whole backend, which is small. Replaying it over a snapshot that already
has it changes nothing.
"""

from __future__ import annotations

import io
import itertools
import json
import logging
import os
import pickle
import struct
import threading
import time
import zlib
from bisect import insort
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from moto.core.base_backend import BaseBackend
from moto.s3.models import FakeBucket, FakeMultipart, S3Backend, s3_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.errors import EmbeddedAwsError
from embedded_aws.iam.request import Call
from embedded_aws.state.pickling import VERSIONS, Address, Pickler, backends, contents, restore

log = logging.getLogger("embedded_aws.state.snapshot")

_HEADER = json.dumps(VERSIONS).encode() + b"\n"
_FRAME = struct.Struct(">II")  # length and CRC-32 of the record that follows
_CONTENTS = ("keys", "multiparts")  # attributes of a bucket that are recorded one by one
# Streams of data, and calls that change no state: left to the next snapshot.
_LEFT_OUT = frozenset(
    (
        "PutLogEvents",
        "PutMetricData",
        "BatchPutMetrics",
        "PutEvents",
        "Publish",
        "PublishBatch",
        "SendMessage",
        "SendMessageBatch",
        "ReceiveMessage",
        "DeleteMessage",
        "DeleteMessageBatch",
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
    )
)
_SLOW_SECONDS = 0.02  # CPU time to record a backend; slower ones are recorded at most 1/20 of the time


class Journal:
    """Segments `<folder>/journal.<number>`. A new segment begins with each snapshot, which makes older ones obsolete.

    Records reach the operating system before `record` returns. They survive the end of this process, but not a power
    cut: nothing is flushed to the disk.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.Lock()
        self._keys: WeakValueDictionary[tuple[str, str | None], threading.Lock] = WeakValueDictionary()
        self._services: dict[Address, threading.Lock] = {}
        self._moments = itertools.count()
        self._recorded: dict[Address, int] = {}  # when the latest record of a backend began
        self._pausing: dict[Address, float] = {}  # when a slow backend can be recorded again
        self._file: int | None = None
        self._number = 0

    def replay(self) -> int:
        """Apply every record to moto's backends. Returns how many. Raises EmbeddedAwsError for other versions."""
        applied = 0
        for _, path in self._segments():
            for record in _read(path):
                _apply(record)
                applied += 1
        return applied

    def begin(self) -> int:
        """Start a new segment. Returns its number: a snapshot that begins now makes all lower ones obsolete."""
        with self._lock:
            self._number = max([self._number, *(number for number, _ in self._segments())]) + 1
            path = self._folder / f"journal.{self._number}"
            opened = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(opened, _HEADER)
            if self._file is not None:
                os.close(self._file)
            self._file = opened
            return self._number

    def drop(self, before: int) -> None:
        """Remove segments that a snapshot has made obsolete."""
        for number, path in self._segments():
            if number < before:
                path.unlink()

    @contextmanager
    def writing(self, call: Call) -> Iterator[None]:
        """Record the result of the call that runs inside. Raises OSError if it cannot be written."""
        if call.model == "s3":
            with self._writing_to_s3(call):
                yield
        else:
            yield
            if call.operation not in _LEFT_OUT:
                self.record(call.model, call.region)

    @contextmanager
    def _writing_to_s3(self, call: Call) -> Iterator[None]:
        """Record an S3 call, and run calls on the same key one after the other.

        moto has no lock between checking a precondition and writing, or between reading versions and adding one: two
        calls at once would lose a write.
        """
        entries = (call.parameter("Delete") or {}).get("Objects", [])
        names = [entry["Key"] for entry in entries] or [call.parameter("Key")]
        with ExitStack() as held:
            for name in sorted(set(names), key=str):
                held.enter_context(self._lock_of(call.parameter("Bucket"), name))
            yield
            for content in _effects(call):
                self._append(pickle.dumps(content, protocol=5))  # plain objects: faster than Pickler

    def record(self, service: str, region: str) -> None:
        """Append the backends of a service, unless a later call has already done so. Raises OSError."""
        done = next(self._moments)
        for address, found in backends(service):
            if address[3] not in (region, "aws"):
                continue
            with self._services.setdefault(address, threading.Lock()):
                if self._recorded.get(address, -1) > done or time.monotonic() < self._pausing.get(
                    address, 0.0
                ):
                    continue
                began = time.thread_time()
                self._recorded[address] = next(self._moments)
                data = _pickled(address, found)
                if data is not None:
                    self._append(data)
                taken = time.thread_time() - began
                if taken > _SLOW_SECONDS:
                    self._pausing[address] = time.monotonic() + 20 * taken

    def _lock_of(self, bucket: str, key: str | None) -> threading.Lock:
        with self._lock:
            return self._keys.setdefault((bucket, key), threading.Lock())

    def _append(self, data: bytes) -> None:
        with self._lock:
            assert self._file is not None, "begin() is called before the first request"
            _write(self._file, _FRAME.pack(len(data), zlib.crc32(data)) + data)

    def _segments(self) -> list[tuple[int, Path]]:
        found = ((path.suffix[1:], path) for path in self._folder.glob("journal.*"))
        return sorted((int(number), path) for number, path in found if number.isdecimal())


def _pickled(address: Address, found: BaseBackend) -> bytes | None:
    """Return the record of a backend; None if it cannot be pickled now: the next snapshot will have it."""
    for _ in range(3):
        file = io.BytesIO()
        try:
            Pickler(file).dump(("backend", address, contents(found, changes=True)))
        except RuntimeError:
            continue  # another call changed the size of a dictionary
        except Exception:
            log.exception("%s not in the journal", address[0])
            return None
        return file.getvalue()
    return None


def _write(file: int, data: bytes) -> None:
    """Write all bytes or none: a partial record would hide the records after it."""
    size = os.lseek(file, 0, os.SEEK_END)
    try:
        written = os.write(file, data)
        if written < len(data):
            raise OSError(28, "No space left on device")
    except OSError:
        os.ftruncate(file, size)
        raise


def _read(path: Path) -> Iterator[tuple[Any, ...]]:
    """Yield the complete records of a segment."""
    with path.open("rb") as file:
        header = file.readline()
        if not header.endswith(b"\n"):
            return  # killed while it was created
        if header != _HEADER:
            raise EmbeddedAwsError(
                f"The saved state {path} was written with other versions of moto or Python. Start with those, or "
                "destroy the embedded AWS and start from scratch."
            )
        while len(frame := file.read(_FRAME.size)) == _FRAME.size:
            length, checksum = _FRAME.unpack(frame)
            data = file.read(length)
            if len(data) < length or zlib.crc32(data) != checksum:
                log.warning("%s ends with a partial record, of a write that was not answered", path)
                return
            yield pickle.loads(data)


# --- results of S3 calls ---


def _s3() -> S3Backend:
    return s3_backends[ACCOUNT_ID]["aws"]


def _effects(call: Call) -> Iterator[tuple[Any, ...]]:
    """Yield (kind, bucket name, ...) for everything that the call can have changed."""
    name, key, upload = (call.parameter(field) for field in ("Bucket", "Key", "UploadId"))
    bucket = _s3().buckets.get(name)
    if call.operation == "DeleteObjects":
        for entry in (call.parameter("Delete") or {}).get("Objects", []):
            yield _object(bucket, name, entry["Key"], None)
    elif key is None and name is not None:
        yield _settings(bucket, name)
    elif bucket is None:
        return  # the call failed
    elif call.operation in ("UploadPart", "UploadPartCopy"):
        found = bucket.multiparts.get(upload)
        number = int(call.parameter("PartNumber"))
        if found is not None and number in found.parts:
            yield "part", name, upload, number, found.parts[number]
    elif call.operation == "CreateMultipartUpload":
        for identity, found in list(bucket.multiparts.items()):
            if found.key_name == key and not found.parts:
                yield "upload", name, identity, found
    else:
        if upload is not None:
            yield "upload", name, upload, bucket.multiparts.get(upload)
        yield _object(bucket, name, key, call.parameter("VersionId"))


def _object(bucket: FakeBucket | None, name: str, key: str, version: str | None) -> tuple[Any, ...]:
    """Return the order of an object's versions, and the versions that a call can have changed, with their tags."""
    versions = list(bucket.keys.getlist(key, [])) if bucket is not None else []
    changed = versions[-1:] + [v for v in versions[:-1] if v.version_id == version]
    tags = {v.version_id: _s3().tagger.get_tag_dict_for_resource(v.arn) for v in changed if hasattr(v, "arn")}
    return "object", name, key, [v.version_id for v in versions], changed, tags


def _settings(bucket: FakeBucket | None, name: str) -> tuple[Any, ...]:
    if bucket is None:
        return "bucket", name, None, None, {}
    settings = {field: value for field, value in vars(bucket).items() if field not in _CONTENTS}
    return "bucket", name, type(bucket), settings, _s3().tagger.get_tag_dict_for_resource(bucket.arn)


# --- replay ---


def _apply(record: tuple[Any, ...]) -> None:
    kind, name, *rest = record
    if kind == "backend":
        restore(name, *rest)
    elif kind == "bucket":
        _apply_bucket(name, *rest)
    elif name in _s3().buckets:  # otherwise a later record deletes the bucket
        _APPLY[kind](_s3().buckets[name], *rest)


def _apply_bucket(
    name: str, kind: type[FakeBucket] | None, settings: dict[str, Any], tags: dict[str, str]
) -> None:
    if kind is None:
        _s3().buckets.pop(name, None)
        s3_backends.bucket_accounts.pop(name, None)
        return
    bucket = _s3().buckets.get(name) or kind(name, settings["account_id"], settings["region_name"])
    vars(bucket).update(settings)
    _s3().buckets[name] = bucket
    _tag(bucket.arn, tags)


def _apply_object(
    bucket: FakeBucket, key: str, order: list[str], changed: list[Any], tags: dict[str, dict[str, str]]
) -> None:
    versions = {v.version_id: v for v in [*(bucket.keys.getlist(key) or []), *changed]}
    kept = [versions[identity] for identity in order if identity in versions]
    if kept:
        dict.__setitem__(bucket.keys, key, kept)
    else:
        dict.pop(bucket.keys, key, None)
    for version in changed:
        if version.version_id in tags:
            _tag(version.arn, tags[version.version_id])


def _apply_upload(bucket: FakeBucket, identity: str, upload: FakeMultipart | None) -> None:
    if upload is None:
        bucket.multiparts.pop(identity, None)
    else:
        bucket.multiparts[identity] = upload


def _apply_part(bucket: FakeBucket, identity: str, number: int, part: Any) -> None:
    upload = bucket.multiparts.get(identity)
    if upload is not None:
        upload.parts[number] = part
        if number not in upload.partlist:
            insort(upload.partlist, number)


_APPLY: dict[str, Callable[..., None]] = {
    "object": _apply_object,
    "upload": _apply_upload,
    "part": _apply_part,
}


def _tag(arn: str, tags: dict[str, str]) -> None:
    tagger = _s3().tagger
    tagger.delete_all_tags_for_resource(arn)
    if tags:
        tagger.tag_resource(arn, tagger.convert_dict_to_tags_input(tags))
