"""Pickling of moto's backends: what pickle alone cannot handle."""

from __future__ import annotations

import importlib
import sys
import threading
import weakref
from collections import defaultdict
from collections.abc import Container, Iterator
from functools import lru_cache
from typing import Any, BinaryIO

import cloudpickle
import moto
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from moto.core.base_backend import AccountSpecificBackend, BackendDict, BaseBackend
from moto.ec2.models import EC2Backend
from moto.iam.models import AWSManagedPolicy, IAMBackend, iam_backends
from moto.s3.utils import _VersionedKeyStore

from embedded_aws.state.blobs import StoredKey

VERSIONS = {"format": 4, "moto": moto.__version__, "python": f"{sys.version_info[0]}.{sys.version_info[1]}"}

Place = tuple[str, str]  # module and name of a BackendDict
Address = tuple[str, str, str, str]  # of a backend: place of its BackendDict, account, region

_LOCK, _RLOCK = type(threading.Lock()), type(threading.RLock())


def _used() -> list[BackendDict[Any]]:
    return BackendDict._instances  # type: ignore[misc]


def _places() -> dict[int, Place]:
    """Return the place of each BackendDict in use, by id()."""
    return _places_of(frozenset(map(id, _used())))


@lru_cache(maxsize=1)
def _places_of(used: frozenset[int]) -> dict[int, Place]:
    places: dict[int, Place] = {}
    for name, module in sorted(sys.modules.items()):
        if name.startswith("moto."):
            for attribute, value in vars(module).items():
                if isinstance(value, BackendDict) and id(value) in used:
                    places.setdefault(id(value), (name, attribute))
    return places


def backends(service: str | None = None) -> Iterator[tuple[Address, BaseBackend]]:
    """Yield address and backend of every backend, or of one service (botocore's name)."""
    places = _places()
    for found in _used():
        if service in (None, found.service_name) and id(found) in places:
            for account, region, backend in list(found.iter_backends()):
                yield (*places[id(found)], account, region), backend


def contents(backend: BaseBackend, changes: bool = False) -> dict[str, Any]:
    """Return the attributes of a backend to save, without AWS managed policies that are not attached.

    changes: leave out AWS's images and their snapshots, too. They never change and are most of EC2's state.
    """
    attributes = dict(vars(backend))
    if isinstance(backend, IAMBackend):
        del attributes["aws_managed_policies"]
        attributes["managed_policies"] = {
            arn: policy
            for arn, policy in backend.managed_policies.items()
            if not isinstance(policy, AWSManagedPolicy) or policy.attachment_count
        }
    elif isinstance(backend, EC2Backend) and changes:
        images = _images(backend)
        for name, left_out in zip(("amis", "snapshots"), images, strict=True):
            kept = attributes[name].items()
            attributes[name] = {identity: value for identity, value in kept if identity not in left_out}
    return attributes


def restore(address: Address, attributes: dict[str, Any]) -> None:
    """Replace the attributes of a backend with those from `contents`."""
    found = backend(*address)
    if isinstance(found, IAMBackend):
        policies = {policy.arn: policy for policy in found.aws_managed_policies}
        for arn in policies.keys() - attributes["managed_policies"].keys():
            policies[arn].attachment_count = 0
        attributes = {
            **attributes,
            "aws_managed_policies": found.aws_managed_policies,
            "managed_policies": policies | attributes["managed_policies"],
        }
    elif isinstance(found, EC2Backend):
        images, snapshots = _images(found, but=attributes["amis"])
        attributes = {
            **attributes,
            "amis": images | attributes["amis"],
            "snapshots": snapshots | attributes["snapshots"],
        }
    # Attributes that an older state lacks keep the values of a new backend.
    attributes = vars(found) | attributes
    found.__dict__.clear()
    found.__dict__.update(attributes)


def _images(backend: EC2Backend, but: Container[str] = ()) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return AWS's images, which every EC2 backend has, and their snapshots."""
    images = {i: image for i, image in backend.amis.items() if image.owner_alias == "amazon" and i not in but}
    return images, {image.ebs_snapshot.id: image.ebs_snapshot for image in images.values()}


def _dict(module: str, attribute: str) -> BackendDict[Any]:
    found: BackendDict[Any] = getattr(importlib.import_module(module), attribute)
    return found


def _account(module: str, attribute: str, account: str) -> AccountSpecificBackend[Any]:
    return _dict(module, attribute)[account]


def backend(module: str, attribute: str, account: str, region: str) -> BaseBackend:
    """Return the backend at an address; create it if missing."""
    found: BaseBackend = _dict(module, attribute)[account][region]
    return found


def _managed_policy(account: str, arn: str) -> Any:
    return iam_backends[account]["aws"].managed_policies[arn]


def _private_key(pem: bytes) -> Any:
    return serialization.load_pem_private_key(pem, None)


def _default_dict(kind: Any, factory: Any) -> Any:
    restored = kind.__new__(kind)
    restored.default_factory = factory
    return restored


def _key_store(kind: Any, raw: dict[str, Any], attributes: dict[str, Any]) -> Any:
    restored = kind.__new__(kind)
    dict.update(restored, raw)
    restored.__dict__.update(attributes)
    return restored


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles backends as addresses, AWS managed policies as ARNs, and locks as new locks.

    blobs: digests of the S3 bytes that the pickled objects refer to.
    """

    def __init__(self, file: BinaryIO):
        super().__init__(file, protocol=5)
        self.blobs: set[str] = set()
        self._plain: set[type] = set()  # types that need no special handling
        self._dicts = _places()
        self._backends = {id(found): address for address, found in backends()}
        self._accounts = {
            id(account): (*self._dicts[id(found)], name)
            for found in _used()
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
        elif isinstance(obj, AWSManagedPolicy):
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
            # moto's subclasses have other constructors.
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
