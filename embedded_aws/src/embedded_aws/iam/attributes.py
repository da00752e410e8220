"""Condition keys of resources: tags, aliases of KMS keys, permissions boundaries of roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.ec2.models import ec2_backends
from moto.kms.models import kms_backends
from moto.sagemaker.models import sagemaker_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.principals import role_by_arn

TAGS_KNOWN = "local:tagsknown"  # context key: the tags of the resource are known


def of(arn: str) -> dict[str, Any]:
    """Return the condition keys, lower case, of a resource; empty for resource types that are not looked up."""
    parts = arn.split(":", 5)
    kind = parts[5].partition("/")[0] if len(parts) == 6 else ""
    read = _READ.get((parts[2], "*" if parts[2] == "ec2" else kind)) if kind else None
    return read(parts[3], parts[5].partition("/")[2]) if read else {}


def _key(region: str, key_id: str) -> dict[str, Any]:
    backend = kms_backends[ACCOUNT_ID][region]
    key = backend.keys.get(key_id)
    if key is None:
        return {}
    return {
        "kms:resourcealiases": sorted(key.aliases),
        **_tags(backend.tagger.get_tag_dict_for_resource(key_id)),
    }


def _ec2(region: str, name: str) -> dict[str, Any]:
    return {} if name == "*" else _tags(ec2_backends[ACCOUNT_ID][region].tags.get(name, {}))


def _domain(region: str, name: str) -> dict[str, Any]:
    backend = sagemaker_backends[ACCOUNT_ID][region]
    tags = backend.resource_tags.get(f"arn:aws:sagemaker:{region}:{ACCOUNT_ID}:domain/{name}")  # type: ignore[attr-defined]
    return {} if tags is None else _tags(tags)


def _role(region: str, name: str) -> dict[str, Any]:
    role = role_by_arn(f"arn:aws:iam::{ACCOUNT_ID}:role/{name}")
    boundary = role.permissions_boundary_arn if role is not None else None
    return {"iam:permissionsboundary": boundary} if boundary else {}


def _tags(tags: dict[str, str]) -> dict[str, Any]:
    return {TAGS_KNOWN: "true", **{f"aws:resourcetag/{key.lower()}": value for key, value in tags.items()}}


_READ: dict[tuple[str, str], Callable[[str, str], dict[str, Any]]] = {
    ("ec2", "*"): _ec2,
    ("iam", "role"): _role,
    ("kms", "key"): _key,
    ("sagemaker", "domain"): _domain,
}
