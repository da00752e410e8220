"""What an account holds, without what AWS generates: two inventories are equal if nothing is missing, extra or different."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from ops.environment import Environment
from pipeline.faults.kinds import KINDS, Kind

Inventory = dict[str, list[str]]
"""By kind: the configuration of each resource, as JSON."""

# Values that differ between two accounts that hold the same.
_GENERATED = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b([a-z]{2,10})-[0-9a-f]{8,17}\b"), r"\1-<id>"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "<hash>"),  # of contents, which name the key of their encryption
    (re.compile(r"\bA[A-Z]{3}[A-Z0-9]{12,17}\b"), "<id>"),
    (re.compile(r"(:function:[\w-]+):\d+"), r"\1:<version>"),
    (re.compile(r'("(?:function_version|provisioned_qualifier)": *)"\d+"'), r"\1<version>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\dZ+:]*"), "<time>"),
    (re.compile(r"\b\d{4}-?\d\d-?\d\d-?\d{6}\b"), "<time>"),
    (re.compile(r"\bterraform-\d{20,}\b"), "terraform-<id>"),
)
_VOLATILE = re.compile(
    r"(?i).*(time|date|timestamp|modified|lastused|etag|by|lastmodifieduser)"
    r"|revisionid|storedbytes|codesize|availableipaddresscount|state(reason|reasondata|value|transitionedtimestamp)"
    r"|ownerid|instanceprofileid|scalabletargetarn|calculatedspend|privateipaddress|version|functionversion|qualifier"
)


@dataclass(frozen=True)
class Holdings:
    """What nothing may lose: the versions of objects (bucket, key, version) and the ARNs of model versions."""

    objects: frozenset[tuple[str, str, str]]
    models: frozenset[str]

    def lost(self, now: Holdings) -> list[str]:
        """Return what is here and not in `now`, for people."""
        objects, models = self.objects - now.objects, self.models - now.models
        found = [f"{len(objects):,} object versions"] if objects else []
        return found + ([f"{len(models)} model versions"] if models else [])


def holdings(env: Environment) -> Holdings:
    """Return the object versions of the data bucket and the model versions."""
    return Holdings(
        frozenset(
            (env.data_bucket, item["Key"], item["VersionId"])
            for item in _pages(env, "s3", "list_object_versions", "Versions", {"Bucket": env.data_bucket})
        ),
        frozenset(
            item["ModelPackageArn"]
            for item in _pages(
                env,
                "sagemaker",
                "list_model_packages",
                "ModelPackageSummaryList",
                {"ModelPackageGroupName": env.settings.prefix},
            )
        ),
    )


def take(env: Environment) -> Inventory:
    """Return the inventory of the whole account: resources of any name."""
    with ThreadPoolExecutor(8) as pool:
        found = dict(zip((kind.name for kind in KINDS), pool.map(lambda k: _of(env, k), KINDS), strict=True))
    return {name: resources for name, resources in found.items() if resources} | _states(env)


def differences(wanted: Inventory, found: Inventory) -> list[str]:
    """Return what is missing, extra or different in `found`, for people."""
    lines = []
    for kind in sorted({*wanted, *found}):
        before, after = _counted(wanted.get(kind, [])), _counted(found.get(kind, []))
        missing, extra = _names(before - after), _names(after - before)
        for name in sorted(missing & extra):
            lines.append(
                f"different {kind} {name} ({_place(_one(before - after, name), _one(after - before, name))})"
            )
        lines += [f"missing {kind} {name}" for name in sorted(missing - extra)]
        lines += [f"extra {kind} {name}" for name in sorted(extra - missing)]
    return lines


def _counted(resources: list[str]) -> Counter[str]:
    """Return how often each resource occurs, without what AWS generates."""
    return Counter(json.dumps(stable(json.loads(text)), sort_keys=True) for text in resources)


def _names(resources: Counter[str]) -> set[str]:
    return {json.loads(text)["name"] for text in resources}


def _one(resources: Counter[str], name: str) -> Any:
    return next(found for found in map(json.loads, resources) if found["name"] == name)


def _place(wanted: Any, found: Any) -> str:
    """Return where two values first differ, with both."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}):
            if wanted.get(key) != found.get(key):
                return f"{key}.{_place(wanted.get(key), found.get(key))}"
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for before, after in zip(wanted, found, strict=True):
            if before != after:
                return _place(before, after)
    return f" {json.dumps(wanted)[:90]} became {json.dumps(found)[:90]}"


def _of(env: Environment, kind: Kind) -> list[str]:
    found = []
    for item in _pages(env, kind.service, kind.operation, kind.items, kind.arguments):
        name = str(item if isinstance(item, str) else item.get(kind.key, ""))
        if kind.left_out(item, name):
            continue
        details = {"listed": item}
        for operation, argument in kind.details:
            details[operation] = _detail(env, kind.service, operation, {argument: name})
        found.append(json.dumps({"name": name, **details}, sort_keys=True, default=_plain))
    return sorted(found)


def _detail(env: Environment, service: str, operation: str, arguments: dict[str, str]) -> Any:
    try:
        return getattr(env.client(service), operation)(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]


def _pages(
    env: Environment, service: str, operation: str, items: str, arguments: dict[str, Any]
) -> Iterator[Any]:
    client = env.client(service)
    try:
        if client.can_paginate(operation):
            pages = list(client.get_paginator(operation).paginate(**arguments))
        else:
            pages = [getattr(client, operation)(**arguments)]
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchBucket", "ValidationException", "ResourceNotFound", "NotFoundException"):
            return
        raise
    for page in pages:
        yield from page.get(items) or []


def _states(env: Environment) -> Inventory:
    """Return the addresses in each Terraform state."""
    s3, found = env.client("s3"), {}
    for item in _pages(env, "s3", "list_objects_v2", "Contents", {"Bucket": env.state_bucket}):
        content = s3.get_object(Bucket=env.state_bucket, Key=item["Key"])["Body"].read()
        if not item["Key"].endswith(".tfstate"):
            found[f"object {item['Key']}"] = [json.dumps({"name": item["Key"]})]
            continue
        addresses = [
            f"{r.get('module', '')} {r['type']}.{r['name']}[{i.get('index_key', '')}]"
            for r in json.loads(content)["resources"]
            if r["mode"] == "managed"
            for i in r["instances"]
        ]
        found[f"state {item['Key']}"] = sorted(json.dumps({"name": address}) for address in addresses)
    return {name: addresses for name, addresses in found.items() if addresses}


def _plain(value: Any) -> str:
    """Return what JSON cannot hold as text; a time without its value, which no key may show."""
    return "<time>" if isinstance(value, datetime) else str(value)


def stable(value: Any) -> Any:
    """Return a value without times, generated identifiers and counters."""
    if isinstance(value, dict):
        return {
            stable(k): stable(v)
            for k, v in value.items()
            if k != "ResponseMetadata" and not _VOLATILE.fullmatch(str(k))
        }
    if isinstance(value, list):
        return sorted((stable(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True, default=str))
    if isinstance(value, str):
        for pattern, replacement in _GENERATED:
            value = pattern.sub(replacement, value)
    return value
