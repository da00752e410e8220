"""Requests of a recorded run are accepted; every change of one that violates its model is refused.

`recorded.jsonl` has one request of each operation that the tests of this repository sent, end-to-end runs included, by
SDKs and Terraform: service, operation, parameters. Texts are cut to 200 characters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from moto.core.utils import get_service_model

from embedded_aws.validation import shapes
from embedded_aws.validation.exemptions import is_exempt
from embedded_aws.validation.patterns import compiled

NUMBERS = ("integer", "long", "float", "double")
LONGEST = 100_000  # items or characters of a value that is too long


def _decoded(found: dict[str, Any]) -> Any:
    if "$bytes" in found:
        return b"-" * found["$bytes"]
    return datetime.fromisoformat(found["$time"]) if "$time" in found else found


REQUESTS = [
    json.loads(line, object_hook=_decoded)
    for line in Path(__file__).with_name("recorded.jsonl").read_text(encoding="utf-8").splitlines()
]
NAMED = [pytest.param(*request, id=f"{request[0]}-{request[1]}") for request in REQUESTS]


def mutations(service: str, shape: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is changed, and a value with one change that violates the model of a shape."""
    if shape.type_name == "structure":
        yield from _of_structure(service, shape, value)
    elif shape.type_name == "list":
        yield from _of_length(service, shape, value)
        for what, changed in mutations(service, shape.member, value[0]) if value else ():
            yield f"[0] {what}", [changed, *value[1:]]
    elif shape.type_name == "map":
        for key in list(value)[:1]:
            for what, changed in mutations(service, shape.value, value[key]):
                yield f"{key} {what}", {**value, key: changed}
    elif shape.type_name == "string":
        yield from _of_string(service, shape, value)
    elif shape.type_name in NUMBERS and not is_exempt(service, shape.name, "range"):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        yield from [("too small", low - 1)] if low is not None else []
        yield from [("too large", high + 1)] if high is not None else []


def _of_structure(service: str, shape: Any, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in shape.required_members:
        if not is_exempt(service, shape.name, name):
            yield f"without {name}", {key: item for key, item in value.items() if key != name}
    for name, item in value.items():
        if name not in shape.members:
            continue  # a label of the URL, which is a member under another name
        for what, changed in mutations(service, shape.members[name], item):
            yield f"{name} {what}", {**value, name: changed}


def _of_length(service: str, shape: Any, value: Any) -> Iterator[tuple[str, Any]]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if is_exempt(service, shape.name, "length"):
        return
    if low:
        yield "too short", value[: low - 1]
    if high is not None and high < LONGEST and value:
        yield "too long", value[:1] * (high + 1)


def _of_string(service: str, shape: Any, value: str) -> Iterator[tuple[str, Any]]:
    yield from _of_length(service, shape, value)
    if shape.metadata.get("enum") and not is_exempt(service, shape.name, "enum"):
        yield "not in the enumeration", f"{value}-other"
    rule = shape.metadata.get("pattern")
    pattern = compiled(rule) if rule and not is_exempt(service, shape.name, "pattern") else None
    for wrong in ("\x00", "a b", "é/\u2603", ":::", "{}") if pattern else ():
        if not pattern.fullmatch(wrong):  # type: ignore[union-attr]
            yield f"not of the pattern: {wrong!r}", wrong


@pytest.mark.parametrize(("service", "operation", "parameters"), NAMED)
def test_recorded_requests_are_legal_and_their_mutations_are_refused(
    service: str, operation: str, parameters: dict[str, Any]
) -> None:
    assert shapes.violations(service, operation, parameters) == ()
    shape = get_service_model(service).operation_model(operation).input_shape
    accepted = [
        what
        for what, changed in (mutations(service, shape, parameters) if shape else ())
        if not shapes.violations(service, operation, changed)
    ]
    assert accepted == []


def test_the_run_is_recorded_whole() -> None:
    assert len({(service, operation) for service, operation, _ in REQUESTS}) == len(REQUESTS) > 200
    services = {service for service, _, _ in REQUESTS}
    assert {"ec2", "iam", "lambda", "logs", "s3", "sagemaker", "sns", "ssm", "sts"} <= services
