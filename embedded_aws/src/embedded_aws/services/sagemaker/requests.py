"""Validates requests against botocore's model, with AWS's messages; filters, sorts and pages lists."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timezone
from functools import cache, lru_cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel, Shape
from moto.core.responses import BaseResponse
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

# \p{Z} of Java's patterns: separators without tabs and line ends.
SEPARATORS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
PAGE = 100  # items per page, if the request sets no MaxResults


class Response(SageMakerResponse):
    """The base of our response classes."""

    @property
    def sagemaker_backend(self) -> Any:
        """The backend of the request's account and region."""
        return sagemaker_backends[self.current_account][self.region]


def validated(response: BaseResponse) -> dict[str, Any]:
    """Return the request's parameters, with timestamps as UTC datetimes.

    Raises ValidationException with AWS's message if the request violates a constraint of the operation's model:
    required members, enumerations, patterns, lengths and ranges.
    """
    service = _service(response.boto3_service_name)
    shape = service.operation_model(response._get_action()).input_shape
    violations: list[str] = []
    request: dict[str, Any] = _checked(json.loads(response.body or "{}"), shape, "", violations)
    if violations:
        errors = "1 validation error" if len(violations) == 1 else f"{len(violations)} validation errors"
        raise ValidationError(message=f"{errors} detected: {'; '.join(violations)}")
    return request


def page(
    items: list[dict[str, Any]], request: dict[str, Any], key: str, name: str | None = None
) -> dict[str, Any]:
    """Return the answer of a List operation: one page of `items` under `key`, with NextToken if there are more.

    name: the member that NameContains and SortBy=Name refer to. If given, the request's filters and order apply.
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


def _filtered(items: list[dict[str, Any]], request: dict[str, Any], name: str) -> list[dict[str, Any]]:
    def wanted(item: dict[str, Any]) -> bool:
        for moment in ("CreationTime", "LastModifiedTime"):
            after, before = request.get(f"{moment}After"), request.get(f"{moment}Before")
            if (after and item[moment] < after) or (before and item[moment] > before):
                return False
        status = request.get("StatusEquals")
        if status and status not in (v for k, v in item.items() if k.endswith("Status")):
            return False
        return request.get("NameContains", "").lower() in item[name].lower()

    return [item for item in items if wanted(item)]


def _sorted(items: list[dict[str, Any]], request: dict[str, Any], name: str) -> list[dict[str, Any]]:
    by = request.get("SortBy", "CreationTime")
    member = name if by == "Name" else by
    ascending = request.get("SortOrder", "Descending") == "Ascending"
    known = next((k for k in items[0] if k == member or k.endswith(member)), name) if items else name
    return sorted(items, key=lambda item: item[known], reverse=not ascending)


@lru_cache
def _service(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)


def _checked(value: Any, shape: Shape, path: str, violations: list[str]) -> Any:
    """Return `value` with timestamps converted. Append violated constraints to `violations`."""
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            return _wrong_type(value, "a structure", path, violations)
        for member in shape.required_members:
            if value.get(member) is None:
                violations.append(
                    f"Value at '{_join(path, member)}' failed to satisfy constraint: Member must not be null"
                )
        return {
            key: _checked(item, shape.members[key], _join(path, key), violations)
            for key, item in value.items()
            if key in shape.members and item is not None
        }
    if shape.type_name == "list":
        if not isinstance(value, list):
            return _wrong_type(value, "a list", path, violations)
        _check_length(value, shape, path, violations)
        return [_checked(v, shape.member, f"{path}.{n}.member", violations) for n, v in enumerate(value, 1)]
    if shape.type_name == "map":
        if not isinstance(value, dict):
            return _wrong_type(value, "a map", path, violations)
        _check_length(value, shape, path, violations)
        return {
            _checked(k, shape.key, f"{path}.key", violations): _checked(
                v, shape.value, f"{path}.{k}", violations
            )
            for k, v in value.items()
        }
    if shape.type_name == "timestamp":
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, timezone.utc)
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    if shape.type_name == "string":
        if not isinstance(value, str):
            return _wrong_type(value, "a string", path, violations)
        if shape.enum and value not in shape.enum:
            _violate(
                value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]", violations
            )
        pattern = _pattern(shape.metadata.get("pattern"))
        if pattern and not pattern.fullmatch(value):
            rule = shape.metadata["pattern"]
            _violate(value, path, f"Member must satisfy regular expression pattern: {rule}", violations)
        _check_length(value, shape, path, violations)
    elif shape.type_name in ("integer", "long", "float", "double"):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return _wrong_type(value, "a number", path, violations)
        if low is not None and value < low:
            _violate(value, path, f"Member must have value greater than or equal to {low}", violations)
        if high is not None and value > high:
            _violate(value, path, f"Member must have value less than or equal to {high}", violations)
    return value


def _check_length(value: Any, shape: Shape, path: str, violations: list[str]) -> None:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and len(value) < low:
        _violate(value, path, f"Member must have length greater than or equal to {low}", violations)
    if high is not None and len(value) > high:
        _violate(value, path, f"Member must have length less than or equal to {high}", violations)


def _violate(value: Any, path: str, constraint: str, violations: list[str]) -> None:
    violations.append(f"Value '{value}' at '{path}' failed to satisfy constraint: {constraint}")


def _wrong_type(value: Any, expected: str, path: str, violations: list[str]) -> Any:
    violations.append(f"Value '{value}' at '{path}' failed to satisfy constraint: Member must be {expected}")
    return value


def _join(path: str, member: str) -> str:
    member = member[0].lower() + member[1:]
    return f"{path}.{member}" if path else member


@cache
def _pattern(rule: str | None) -> re.Pattern[str] | None:
    """Compile the model's Java pattern; None for the few that `re` does not support."""
    if not rule:
        return None
    rule = re.sub(r"\$\{1,\d+\}$", "", rule)  # some patterns end with a length, which is also in "max"
    try:
        return re.compile(
            rule.replace(r"\p{ASCII}", r"[\x00-\x7f]").replace(r"\p{L}\p{Z}\p{N}", rf"\w{SEPARATORS}")
        )
    except re.error:
        return None
