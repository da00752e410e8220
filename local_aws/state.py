"""The state of every service between one run of the embedded AWS and the next: a snapshot of moto's backends.

moto can neither dump nor load itself, so its objects are pickled as they are; that ties a snapshot to the versions
of moto and Python that made it, and another one is refused. The bytes of S3 objects are not in it (see `blobs`).
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import pickle
import signal
import sys
import threading
import time
import warnings
import weakref
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import cloudpickle
import moto
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend
from moto.core.common_models import BaseModel
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.s3.models import s3_backends
from moto.s3.utils import _VersionedKeyStore

from local_aws.blobs import BlobStore, StoredKey
from local_aws.errors import LocalAwsError

log = logging.getLogger("local_aws.state")

VERSIONS = {"format": 1, "moto": moto.__version__, "python": f"{sys.version_info[0]}.{sys.version_info[1]}"}

_Place = tuple[str, str]  # module and name of a BackendDict
_Address = tuple[str, str, str, str]  # of a backend: its BackendDict's place, account, region


@dataclass
class Report:
    """What a save did. blobs: digests of the S3 bytes in use. failed: backends left out, with the reason."""

    backends: int = 0
    bytes: int = 0
    seconds: float = 0.0
    blobs: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


# --- what pickle cannot do by itself ---


def _places() -> dict[int, _Place]:
    """Where each BackendDict in use is found, by its identity."""
    used = {id(found) for found in BackendDict._instances}
    places: dict[int, _Place] = {}
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto."):
            for attribute, value in vars(module).items():
                if isinstance(value, BackendDict) and id(value) in used:
                    places.setdefault(id(value), (name, attribute))
    return places


def _backends() -> Iterator[tuple[_Address, BaseBackend]]:
    for identity, (module, attribute) in _places().items():
        found = next(d for d in BackendDict._instances if id(d) == identity)
        for account, region, backend in list(found.iter_backends()):
            yield (module, attribute, account, region), backend


def _dict(module: str, attribute: str) -> BackendDict:
    return getattr(importlib.import_module(module), attribute)


def _account(module: str, attribute: str, account: str) -> AccountSpecificBackend:
    return _dict(module, attribute)[account]


def _backend(module: str, attribute: str, account: str, region: str) -> BaseBackend:
    return _dict(module, attribute)[account][region]


def _managed_policy(account: str, arn: str) -> AWSManagedPolicy:
    return iam_backends[account]["aws"].managed_policies[arn]


def _private_key(pem: bytes) -> Any:
    return serialization.load_pem_private_key(pem, None)


def _default_dict(kind: type, factory: Any) -> Any:
    made = kind.__new__(kind)
    made.default_factory = factory
    return made


def _key_store(kind: type, raw: dict, attributes: dict) -> Any:
    made = kind.__new__(kind)
    dict.update(made, raw)
    made.__dict__.update(attributes)
    return made


class _Pickler(cloudpickle.Pickler):
    """Backends by their address, moto's own AWS policies by ARN, locks anew."""

    def __init__(self, file: BinaryIO):
        super().__init__(file, protocol=5)
        self.blobs: set[str] = set()
        self._plain: set[type] = set()  # types seen that need nothing of us
        self._dicts = _places()
        self._backends = {id(backend): address for address, backend in _backends()}
        self._accounts = {
            id(account): (*place, name)
            for found in BackendDict._instances
            for place in [self._dicts[id(found)]]
            for name, account in found.items()
        }

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) in self._plain:
            return super().reducer_override(obj)
        if isinstance(obj, StoredKey):
            if obj.digest is not None:
                self.blobs.add(obj.digest)
        elif isinstance(obj, BaseBackend):
            if id(obj) in self._backends:
                return _backend, self._backends[id(obj)]
        elif isinstance(obj, BackendDict):
            return _dict, self._dicts[id(obj)]
        elif isinstance(obj, AccountSpecificBackend):
            return _account, self._accounts[id(obj)]
        elif type(obj) is AWSManagedPolicy:
            return _managed_policy, (obj.account_id, obj.arn), {"attachment_count": obj.attachment_count}
        elif isinstance(obj, _LOCK):
            return threading.Lock, ()
        elif isinstance(obj, _RLOCK):
            return threading.RLock, ()
        elif isinstance(obj, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
            encryption = serialization.NoEncryption()
            return _private_key, (
                obj.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption),
            )
        elif isinstance(obj, weakref.WeakValueDictionary):
            return weakref.WeakValueDictionary, (dict(obj),)
        elif isinstance(obj, defaultdict) and type(obj) is not defaultdict:
            # moto's have constructors of their own.
            return (
                _default_dict,
                (type(obj), obj.default_factory),
                obj.__dict__ or None,
                None,
                iter(list(obj.items())),
            )
        elif isinstance(obj, _VersionedKeyStore):
            return _key_store, (type(obj), dict(dict.items(obj)), obj.__dict__)
        else:
            self._plain.add(type(obj))
        return super().reducer_override(obj)


_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())


# --- save and load ---


def save(path: Path) -> Report:
    """Write a snapshot of every backend to `path`, whole or not at all."""
    started, report = time.monotonic(), Report()
    content = [(address, backend.__dict__) for address, backend in _backends()]
    while True:
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with draft.open("wb") as file:
                file.write(json.dumps(VERSIONS).encode() + b"\n")
                pickler = _Pickler(file)
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


def _unpicklable(content: list[tuple[_Address, dict]]) -> dict[_Address, str]:
    """The backends that cannot be pickled, with the attribute and the reason."""
    failed = {}
    for address, attributes in content:
        for name, value in attributes.items():
            try:
                with open(os.devnull, "wb") as nowhere:
                    _Pickler(nowhere).dump(value)
            except Exception as error:
                failed[address] = f"{name}: {type(error).__name__}: {error}"
    return failed


def load(path: Path) -> int:
    """Put a snapshot in place of the backends' present contents. Returns how many; 0 if there is none yet.

    Raises LocalAwsError if it was made by other versions, or cannot be read.
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
            raise LocalAwsError(
                f"The saved state {path} was made by {_words(made_by)}, but this is {_words(VERSIONS)}: start with "
                "those versions, or destroy the embedded AWS and begin anew."
            )
        try:
            saved = pickle.load(file)
        except Exception as error:
            raise LocalAwsError(
                f"The saved state {path} cannot be read ({type(error).__name__}: {error}): destroy the embedded AWS "
                "and begin anew."
            ) from error
    s3_backends.bucket_accounts.update(saved["buckets"])
    for address, attributes in saved["backends"]:
        backend = _backend(*address)
        backend.__dict__.clear()
        backend.__dict__.update(attributes)
    return len(saved["backends"])


def _words(versions: Any) -> str:
    if not isinstance(versions, dict):
        return "something else"
    return f"moto {versions.get('moto')} on Python {versions.get('python')} (format {versions.get('format')})"


class Keeper:
    """Saves the state a moment after it changed, without holding up requests.

    The saving is done by a forked child, which has the memory as it was at one instant; the parent goes on.
    """

    def __init__(self, folder: Path, blobs: BlobStore, delay: float = 2.0):
        self.path = folder / "snapshot"
        self._blobs, self._delay = blobs, delay
        self._changed = threading.Condition()
        self._dirty = self._ended = False
        self._thread = threading.Thread(target=self._run, name="state", daemon=True)
        self.report = Report()

    def start(self) -> None:
        self._thread.start()

    def changed(self) -> None:
        """Say that there is something to save."""
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
        self._note(save(self.path), time.time())

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
            moment = time.time()
            try:
                self._note(_save_in_child(self.path), moment)
            except Exception:
                log.exception("the state was not saved")
                self._dirty = True

    def _note(self, report: Report, moment: float) -> None:
        for name, reason in report.failed.items():
            log.error("%s is NOT in the saved state: %s", name, reason)
        self.report = report
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
