"""One quota of the account: what to do if it is too small, or if the caller may not read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from ops.aws import is_denied
from ops.environment import Environment
from ops.retries import NoAnswer
from ops.text import clause

NO_ANSWER = (ConnectionError, HTTPClientError, NoAnswer)
_UNDECIDED = ("PENDING", "CASE_OPENED")


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota of the account in a region. service: AWS's code of the service, e.g. "ec2"."""

    service: str
    code: str
    name: str
    value: float


def remedy(env: Environment, quota: Quota, needed: float) -> str:
    """Return what to do about a quota that is too small, as the end of a sentence."""
    command = (
        f"`aws service-quotas request-service-quota-increase --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {needed:g} --region {env.settings.region}`"
    )
    request = _open_request(env, quota)
    if request is None:
        return f"request an increase with {command}"
    value, status = request
    if value >= needed:
        return f"a request for {value:g} is already open ({status}), so wait until AWS has granted it"
    return f"a request for {value:g} is already open ({status}); after AWS has answered it, request more with {command}"


def _open_request(env: Environment, quota: Quota) -> tuple[float, str] | None:
    """Return value and status of an open request; None if there is none, or if the caller may not read requests."""
    history = env.client("service-quotas").get_paginator(
        "list_requested_service_quota_change_history_by_quota"
    )
    try:
        return max(
            (
                (request["DesiredValue"], request["Status"])
                for page in history.paginate(ServiceCode=quota.service, QuotaCode=quota.code)
                for request in page["RequestedQuotas"]
                if request["Status"] in _UNDECIDED
            ),
            default=None,
        )
    except ClientError as error:
        if not is_denied(error):
            raise
        return None


def unchecked(what: str, error: ClientError | BotoCoreError) -> str:
    """Return the note for a caller without permission to check, or without a way to AWS. Raises any other error."""
    if isinstance(error, NO_ANSWER):
        return f"{what} was not checked ({clause(str(error))}): AWS decides at the launch."
    if not is_denied(error):
        raise error
    action: Any = error.operation_name
    return f"{what} was not checked, as the caller may not call {action}: AWS decides at the launch."
