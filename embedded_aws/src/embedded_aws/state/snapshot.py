"""The state of every service between one run of the embedded AWS and the next: a snapshot of moto's backends.

moto can neither dump nor load itself, so its objects are pickled as they are; that ties a snapshot to the versions
of moto and Python that made it, and another one is refused. The bytes of S3 objects are not in it (see `blobs`), and
what was written since is beside it (see `journal`).
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


@dataclass
class Report:
    """What a save did. blobs: digests of the S3 bytes in use. failed: backends left out, with the reason."""

    backends: int = 0
    bytes: int = 0
    seconds: float = 0.0
    blobs: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def save(path: Path) -> Report:
    """Write a snapshot of every backend to `path`, whole or not at all."""
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


def _unpicklable(content: list[tuple[Address, dict]]) -> dict[Address, str]:
    """The backends that cannot be pickled, with the attribute and the reason."""
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
    """Put a snapshot in place of the backends' present contents. Returns how many; 0 if there is none yet.

    Raises EmbeddedAwsError if it was made by other versions, or cannot be read.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        try:
            made_by = json.loads(file.readline())
        except ValueError:
            made_by = None
        if made_by != VERSIONS:
            raise EmbeddedAwsError(
                f"The saved state {path} was made by {_words(made_by)}, but this is {_words(VERSIONS)}: start with "
                "those versions, or destroy the embedded AWS and begin anew."
            )
        try:
            saved = pickle.load(file)
        except Exception as error:
            raise EmbeddedAwsError(
                f"The saved state {path} cannot be read ({type(error).__name__}: {error}): destroy the embedded AWS "
                "and begin anew."
            ) from error
    s3_backends.bucket_accounts.update(saved["buckets"])
    for address, attributes in saved["backends"]:
        restore(address, attributes)
    return len(saved["backends"])


def _words(versions: Any) -> str:
    if not isinstance(versions, dict):
        return "something else"
    return f"moto {versions.get('moto')} on Python {versions.get('python')} (format {versions.get('format')})"


class Keeper:
    """Saves the state a moment after it changed, without holding up requests, and keeps the journal in between.

    The saving is done by a forked child, which has the memory as it was at one instant; the parent goes on.
    """

    def __init__(self, folder: Path, blobs: BlobStore, delay: float = 1.0):
        self.path = folder / "snapshot"
        self.journal = Journal(folder)
        self._blobs, self._delay = blobs, delay
        self._changed = threading.Condition()
        self._dirty = self._ended = False
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self.report = Report()

    def load(self) -> int:
        """Put the saved state in place: the latest snapshot and what the journal has since. Returns how many backends.

        Raises EmbeddedAwsError as `load` does.
        """
        restored = load(self.path)
        replayed = self.journal.replay()
        if replayed:
            log.info("%d writes restored that were made after the snapshot", replayed)
            self._dirty = True
        self.journal.begin()
        return restored

    def start(self) -> None:
        self._thread.start()

    def changed(self, service: str | None = None, region: str = "") -> None:
        """Say that there is something to save; of `service`, by botocore's name, at once."""
        if service is not None:
            try:
                self.journal.record(service, region)
            except OSError:
                log.exception("%s is left to the next snapshot", service)
        if not self._dirty:
            with self._changed:
                self._dirty = True
                self._changed.notify()

    def end(self) -> None:
        """Save a last time, in this process."""
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
                    # However busy the services are, most of the processors' time is theirs.
                    self._changed.wait_for(lambda: self._ended, max(self._delay, 4 * self.report.seconds))
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
            log.error("%s is NOT in the saved state: %s", name, reason)
        self.report = report
        if not report.failed:
            self.journal.drop(begun)
        self._blobs.sweep(set(report.blobs), moment - 60)


def _save_in_child(path: Path) -> Report:
    receive, send = os.pipe()
    with warnings.catch_warnings():
        # Python warns of forks beside threads: this child runs nothing but the pickler, and ends itself.
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
    """In the forked process: save, report, end."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.alarm(300)
        os.nice(5)
        # Held open here, the parent's connections would not close when it closes them.
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
    """Keep moto from remembering every object it ever made: deleted ones would stay in memory."""

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls)

    BaseModel.__new__ = new  # type: ignore[assignment, method-assign]
