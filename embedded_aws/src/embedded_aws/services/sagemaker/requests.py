"""Requests as AWS checks them: against botocore's model, with AWS's sentences; lists filtered and paged."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timezone
from functools import cache, lru_cache
from typing import Any

import botocore.session
from botocore.model import Shape
from moto.core.responses import BaseResponse
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

# \p{Z}: neither tabs nor ends of lines.
SEPARATORS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
PAGE = 100  # items of a page, if the request does not say


class Operations(SageMakerResponse):
    """moto's responses, for a part to add its own."""

    @property
    def sagemaker_backend(self) -> Any:
        """The backend with every part's methods, which the parts do not know of one another."""
        return sagemaker_backends[self.current_account][self.region]


def validated(response: BaseResponse) -> dict[str, Any]:
    """The request's parameters, with timestamps as UTC datetimes.

    Raises ValidationException, worded as AWS's, for what breaks a constraint of the operation's model:
    missing members, enumerations, patterns, lengths and ranges.
    """
    service = _service(response.boto3_service_name)
    shape = service.operation_model(response._get_action()).input_shape
    broken: list[str] = []
    request = _checked(json.loads(response.body or "{}"), shape, "", broken)
    if broken:
        errors = "1 validation error" if len(broken) == 1 else f"{len(broken)} validation errors"
        raise ValidationError(message=f"{errors} detected: {'; '.join(broken)}")
    return request


def page(items: list[dict], request: dict[str, Any], key: str, name: str | None = None) -> dict[str, Any]:
    """A List operation's answer: `items` (summaries) under `key`, with NextToken if there are more.

    With `name`, the summary's member that NameContains and SortBy=Name mean, the usual filters apply too.
    """
    if name:
        items = _sorted(_filtered(items, request, name), request, name)
    start = _offset(request.get("NextToken"))
    end = start + request.get("MaxResults", PAGE)
    answer: dict[str, Any] = {key: items[start:end]}
    if end < len(items):
        answer["NextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return answer


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except ValueError:
        raise ValidationError(message="The NextToken is not valid.") from None


def _filtered(items: list[dict], request: dict[str, Any], name: str) -> list[dict]:
    def wanted(item: dict) -> bool:
        for moment in ("CreationTime", "LastModifiedTime"):
            after, before = request.get(f"{moment}After"), request.get(f"{moment}Before")
            if (after and item[moment] < after) or (before and item[moment] > before):
                return False
        status = request.get("StatusEquals")
        if status and status not in (v for k, v in item.items() if k.endswith("Status")):
            return False
        return request.get("NameContains", "").lower() in item[name].lower()

    return [item for item in items if wanted(item)]


def _sorted(items: list[dict], request: dict[str, Any], name: str) -> list[dict]:
    by = request.get("SortBy", "CreationTime")
    member = name if by == "Name" else by
    ascending = request.get("SortOrder", "Descending") == "Ascending"
    known = next((k for k in items[0] if k == member or k.endswith(member)), name) if items else name
    return sorted(items, key=lambda item: item[known], reverse=not ascending)


@lru_cache
def _service(name: str):
    return botocore.session.get_session().get_service_model(name)


def _checked(value: Any, shape: Shape, path: str, broken: list[str]) -> Any:
    """`value` with timestamps converted; what breaks a constraint is appended to `broken`."""
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            return _mistyped(value, "a structure", path, broken)
        for member in shape.required_members:
            if value.get(member) is None:
                broken.append(
                    f"Value at '{_join(path, member)}' failed to satisfy constraint: Member must not be null"
                )
        return {
            key: _checked(item, shape.members[key], _join(path, key), broken)
            for key, item in value.items()
            if key in shape.members and item is not None
        }
    if shape.type_name == "list":
        if not isinstance(value, list):
            return _mistyped(value, "a list", path, broken)
        _sized(value, shape, path, broken)
        return [_checked(v, shape.member, f"{path}.{n}.member", broken) for n, v in enumerate(value, 1)]
    if shape.type_name == "map":
        if not isinstance(value, dict):
            return _mistyped(value, "a map", path, broken)
        _sized(value, shape, path, broken)
        return {
            _checked(k, shape.key, f"{path}.key", broken): _checked(v, shape.value, f"{path}.{k}", broken)
            for k, v in value.items()
        }
    if shape.type_name == "timestamp":
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, timezone.utc)
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    if shape.type_name == "string":
        if not isinstance(value, str):
            return _mistyped(value, "a string", path, broken)
        if shape.enum and value not in shape.enum:
            _break(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]", broken)
        pattern = _pattern(shape.metadata.get("pattern"))
        if pattern and not pattern.fullmatch(value):
            rule = shape.metadata["pattern"]
            _break(value, path, f"Member must satisfy regular expression pattern: {rule}", broken)
        _sized(value, shape, path, broken)
    elif shape.type_name in ("integer", "long", "float", "double"):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return _mistyped(value, "a number", path, broken)
        if low is not None and value < low:
            _break(value, path, f"Member must have value greater than or equal to {low}", broken)
        if high is not None and value > high:
            _break(value, path, f"Member must have value less than or equal to {high}", broken)
    return value


def _sized(value: Any, shape: Shape, path: str, broken: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and len(value) < low:
        _break(value, path, f"Member must have length greater than or equal to {low}", broken)
    if high is not None and len(value) > high:
        _break(value, path, f"Member must have length less than or equal to {high}", broken)


def _break(value: Any, path: str, constraint: str, broken: list[str]) -> None:
    broken.append(f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}")


def _mistyped(value: Any, wanted: str, path: str, broken: list[str]) -> Any:
    broken.append(f"Value '{value}' at '{path}' failed to satisfy constraint: Member must be {wanted}")
    return value


def _join(path: str, member: str) -> str:
    member = member[0].lower() + member[1:]
    return f"{path}.{member}" if path else member


@cache
def _pattern(rule: str | None) -> re.Pattern | None:
    """The model's Java pattern; None for the few with character classes that `re` does not have."""
    if not rule:
        return None
    rule = re.sub(r"\$\{1,\d+\}$", "", rule)  # AWS writes a length behind some, which is in "max", too
    try:
        return re.compile(
            rule.replace(r"\p{ASCII}", r"[\x00-\x7f]").replace(r"\p{L}\p{Z}\p{N}", rf"\w{SEPARATORS}")
        )
    except re.error:
        return None
