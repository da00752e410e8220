"""Private keys of KMS keys: only asymmetric ones have one. moto generates an RSA key for each, which takes 0.1 s."""

from __future__ import annotations

from typing import NoReturn

from moto.core.exceptions import JsonRESTError
from moto.kms.utils import AbstractPrivateKey, generate_private_key


class UnsupportedOperation(JsonRESTError):
    """AWS's error for an operation on a key of another kind."""

    code = 400

    def __init__(self) -> None:
        message = (
            "The request was rejected because a specified parameter is not supported or a specified resource is not "
            "valid for this operation."
        )
        super().__init__("UnsupportedOperationException", message)


class NoPrivateKey(AbstractPrivateKey):
    """The private key of a symmetric or HMAC key, which has none."""

    def sign(self, message: bytes, signing_algorithm: str) -> NoReturn:
        raise UnsupportedOperation

    def verify(self, message: bytes, signature: bytes, signing_algorithm: str) -> NoReturn:
        raise UnsupportedOperation

    def public_key(self) -> NoReturn:
        raise UnsupportedOperation


def private_key(key_spec: str) -> AbstractPrivateKey:
    """Return a new private key for a key of this specification, e.g. "RSA_2048"."""
    if key_spec == "SYMMETRIC_DEFAULT" or key_spec.startswith("HMAC_"):
        return NoPrivateKey()
    return generate_private_key(key_spec)
