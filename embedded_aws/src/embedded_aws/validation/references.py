"""Looks up what a request refers to: roles, keys, topics, queues, functions."""

from __future__ import annotations

from typing import Any

from moto.kms.models import kms_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.principals import iam


def key(name: str, region: str) -> Any:
    """Return the KMS key with an ID, ARN or alias, or None."""
    backend = kms_backends[ACCOUNT_ID][region]
    short = name.rpartition(":")[2] if name.startswith("arn:") else name
    if short.startswith("alias/"):
        return next((k for k in list(backend.keys.values()) if short in k.aliases), None)
    return backend.keys.get(short.removeprefix("key/"))


def key_exists(name: str, region: str) -> bool:
    """Report whether a key exists and is enabled. AWS's own keys exist once they are used."""
    if name.rpartition(":")[2].startswith("alias/aws/"):
        return True
    found = key(name, region)
    return found is not None and found.enabled and found.key_state == "Enabled"


def role_exists(arn: str) -> bool:
    """Report whether a role exists."""
    return any(role.arn == arn for role in list(iam().roles.values()))
