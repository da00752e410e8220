"""moto's objects as bytes: what pickle cannot do with them by itself."""

from __future__ import annotations

import importlib
import sys
import threading
import weakref
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, BinaryIO

import cloudpickle
import moto
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.s3.utils import _VersionedKeyStore

from local_aws.blobs import StoredKey

VERSIONS = {"format": 2, "moto": moto.__version__, "python": f"{sys.version_info[0]}.{sys.version_info[1]}"}

Place = tuple[str, str]  # module and name of a BackendDict
Address = tuple[str, str, str, str]  # of a backend: its BackendDict's place, account, region

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())


def _places() -> dict[int, Place]:
    """Where each BackendDict in use is found, by its identity."""
    used = {id(found) for found in BackendDict._instances}
    places: dict[int, Place] = {}
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto."):
            for attribute, value in vars(module).items():
                if isinstance(value, BackendDict) and id(value) in used:
                    places.setdefault(id(value), (name, attribute))
    return places


def backends() -> Iterator[tuple[Address, BaseBackend]]:
    """Every backend that exists, with its address."""
    for identity, (module, attribute) in _places().items():
        found = next(d for d in BackendDict._instances if id(d) == identity)
        for account, region, backend in list(found.iter_backends()):
            yield (module, attribute, account, region), backend


def _dict(module: str, attribute: str) -> BackendDict:
    return getattr(importlib.import_module(module), attribute)


def _account(module: str, attribute: str, account: str) -> AccountSpecificBackend:
    return _dict(module, attribute)[account]


def backend(module: str, attribute: str, account: str, region: str) -> BaseBackend:
    """The backend at an address, made if there is none yet."""
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


class Pickler(cloudpickle.Pickler):
    """Backends by their address, moto's own AWS policies by ARN, locks anew.

    blobs: digests of the S3 bytes that the pickled objects stand for.
    """

    def __init__(self, file: BinaryIO):
        super().__init__(file, protocol=5)
        self.blobs: set[str] = set()
        self._plain: set[type] = set()  # types seen that need nothing of us
        self._dicts = _places()
        self._backends = {id(found): address for address, found in backends()}
        self._accounts = {
            id(account): (*self._dicts[id(found)], name)
            for found in BackendDict._instances
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
                return backend, self._backends[id(obj)]
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
