"""Snapshot of moto's backends: the state of every service between two runs of the embedded AWS.

moto cannot save its state, so its objects are pickled. A snapshot can be loaded only with the versions of moto and
Python that wrote it; others are refused. Bytes of S3 objects are in `blobs`, later writes in `journal`.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import threading
import time
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from moto.core.common_models import BaseModel
from moto.s3.models import s3_backends

from embedded_aws.errors import EmbeddedAwsError
from embedded_aws.state.blobs import BlobStore
from embedded_aws.state.journal import Journal
from embedded_aws.state.pickling import VERSIONS, Address, Pickler, backends, contents, restore

log = logging.getLogger("embedded_aws.state.snapshot")

DELAY = 3.0  # seconds from a change to the snapshot; the journal has the changes that requests make at once


@dataclass
class Report:
    """Result of a save."""

    backends: int = 0
    """Backends saved."""

    bytes: int = 0
    """Size of the snapshot."""

    seconds: float = 0.0
    """Duration."""

    blobs: list[str] = field(default_factory=list)
    """Digests of the S3 bytes in use."""

    failed: dict[str, str] = field(default_factory=dict)
    """Backends that could not be saved, with the reason."""


def save(path: Path) -> Report:
    """Write a snapshot of every backend to `path`, atomically."""
    started, report = time.monotonic(), Report()
    content = [(address, contents(found)) for address, found in backends()]
    while True:
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with draft.open("wb") as file:
                file.write(json.dumps(VERSIONS).encode() + b"\n")
                pickler = Pickler(file)
                pickler.dump({"buckets": s3_backends.bucket_accounts, "backends": content})
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        except Exception:
            draft.unlink(missing_ok=True)
            failed = _unpicklable(content)
            if not failed:
                raise
            report.failed |= {f"{a[0]} {a[3]}": reason for a, reason in failed.items()}
            content = [entry for entry in content if entry[0] not in failed]
            continue
        draft.replace(path)
        report.backends, report.bytes = len(content), path.stat().st_size
        report.blobs, report.seconds = sorted(pickler.blobs), time.monotonic() - started
        return report


def _unpicklable(content: list[tuple[Address, dict[str, Any]]]) -> dict[Address, str]:
    """Return the backends that cannot be pickled, with the attribute and the reason."""
    failed = {}
    for address, attributes in content:
        for name, value in attributes.items():
            try:
                with open(os.devnull, "wb") as nowhere:
                    Pickler(nowhere).dump(value)
            except Exception as error:
                failed[address] = f"{name}: {type(error).__name__}: {error}"
    return failed


def load(path: Path) -> int:
    """Load a snapshot into the backends. Returns how many backends; 0 without a snapshot.

    Raises EmbeddedAwsError if other versions wrote it, or if it cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        try:
            written_by = json.loads(file.readline())
        except ValueError:
            written_by = None
        if written_by != VERSIONS:
            raise EmbeddedAwsError(
                f"The saved state {path} was written by {_words(written_by)}, but this is {_words(VERSIONS)}. Start with "
                "those versions, or destroy the embedded AWS and start from scratch."
            )
        try:
            saved = pickle.load(file)
        except Exception as error:
            raise EmbeddedAwsError(
                f"The saved state {path} cannot be read ({type(error).__name__}: {error}). Destroy the embedded "
                "AWS and start from scratch."
            ) from error
    s3_backends.bucket_accounts.update(saved["buckets"])
    for address, attributes in saved["backends"]:
        restore(address, attributes)
    return len(saved["backends"])


def _words(versions: Any) -> str:
    if not isinstance(versions, dict):
        return "another program"
    return f"moto {versions.get('moto')} on Python {versions.get('python')} (format {versions.get('format')})"


class Keeper:
    """Saves the state shortly after each change, without blocking requests, and owns the journal.

    A forked child saves: it has the memory of one instant, while the parent keeps running.
    """

    def __init__(self, folder: Path, blobs: BlobStore, delay: float = DELAY):
        self.path = folder / "snapshot"
        self.journal = Journal(folder)
        self._blobs, self._delay = blobs, delay
        self._changed = threading.Condition()
        self._dirty = self._ended = False
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self.report = Report()

    def load(self) -> int:
        """Load the latest snapshot and replay the journal. Returns how many backends were loaded.

        Raises EmbeddedAwsError as `load` does.
        """
        restored = load(self.path)
        replayed = self.journal.replay()
        if replayed:
            log.info("%d writes since the snapshot replayed", replayed)
            self._dirty = True
        self.journal.begin()
        return restored

    def start(self) -> None:
        self._thread.start()

    def changed(self, service: str | None = None, region: str = "") -> None:
        """Mark the state as changed. With a service (botocore's name) and a region, record it at once."""
        if service is not None:
            try:
                self.journal.record(service, region)
            except OSError:
                log.exception("%s not in the journal: the next snapshot will have it", service)
        if not self._dirty:
            with self._changed:
                self._dirty = True
                self._changed.notify()

    def end(self) -> None:
        """Save one last time, in this process."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()
        begun, moment = self.journal.begin(), time.time()
        self._note(save(self.path), moment, begun)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._dirty or self._ended)
                if not self._ended:
                    # Saving takes at most a tenth of the time, however busy the services are.
                    self._changed.wait_for(lambda: self._ended, max(self._delay, 9 * self.report.seconds))
                if self._ended:
                    return
                self._dirty = False
            try:
                begun, moment = self.journal.begin(), time.time()
                self._note(_save_in_child(self.path), moment, begun)
            except Exception:
                log.exception("the state was not saved")
                self._dirty = True

    def _note(self, report: Report, moment: float, begun: int) -> None:
        for name, reason in report.failed.items():
            log.error("%s is not in the saved state: %s", name, reason)
        self.report = report
        if not report.failed:
            self.journal.drop(begun)
        self._blobs.sweep(set(report.blobs), moment - 60)


def _save_in_child(path: Path) -> Report:
    receive, send = os.pipe()
    with warnings.catch_warnings():
        # Python warns about forks of threaded processes. This child runs only the pickler and exits.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        _child(path, send)
    os.close(send)
    with open(receive, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        raise RuntimeError("the saving process died")
    content = json.loads(answer)
    if "error" in content:
        raise RuntimeError(content["error"])
    return Report(**content)


def _child(path: Path, send: int) -> None:
    """Save, report and exit. Runs in the forked process."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.alarm(300)
        os.nice(5)
        # The parent's connections would stay open as long as this process holds them.
        os.closerange(3, send)
        os.closerange(send + 1, 65536)
        try:
            answer: dict[str, Any] = asdict(save(path))
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        with open(send, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


def forget_instances() -> None:
    """Stop moto from keeping a reference to every object it creates: deleted ones would stay in memory."""

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls)

    BaseModel.__new__ = new  # type: ignore[method-assign]
