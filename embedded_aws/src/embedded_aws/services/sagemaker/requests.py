"""Parameters of requests; filters, sorts and pages lists."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from moto.core.responses import BaseResponse
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from embedded_aws.iam.gate import CALL
from embedded_aws.iam.request import Call

PAGE = 100  # items per page, if the request sets no MaxResults


class Response(SageMakerResponse):
    """The base of our response classes."""

    @property
    def sagemaker_backend(self) -> Any:
        """The backend of the request's account and region."""
        return sagemaker_backends[self.current_account][self.region]


def validated(response: BaseResponse) -> dict[str, Any]:
    """Return the request's parameters, which the gate has validated, with timestamps as UTC datetimes."""
    call: Call = response.normalized_request.environ[CALL]
    found: dict[str, Any] = _converted(call.parameters)
    return found


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


def _converted(value: Any) -> Any:
    """Return a copy without null members, whose timestamps have a time zone: the parser's are naive UTC."""
    if isinstance(value, Mapping):
        return {key: _converted(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_converted(item) for item in value]
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=timezone.utc)
    return value
