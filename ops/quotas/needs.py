"""What a command needs of the account's quotas, compared with what they allow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ops.aws import aws_errors, error_code
from ops.environment import Environment
from ops.errors import Refused
from ops.quotas.quota import NO_ANSWER, Quota, remedy, unchecked

LAMBDA_CONCURRENCY = ("L-B99A9384", "Concurrent executions")
_LARGE_ACCOUNT = 1000  # AWS's default; new accounts start with less
_UNRESERVED = {
    True: 100,
    False: 10,
}  # what Lambda leaves to functions without a reservation, in large accounts or not


@dataclass(frozen=True)
class Need:
    """What something needs of one of SageMaker's quotas.

    name: the quota's name.
    what: what needs it, e.g. "2 trials at a time".
    more: how many more than what is in use.
    used: how many are in use, as far as known.
    later: needed by what happens after the command, e.g. by scaling: too small a quota is only reported.
    """

    name: str
    what: str
    more: float
    used: float = 0
    later: bool = False


@dataclass(frozen=True)
class Concurrency:
    """What a function needs of the account's concurrent executions.

    setting: the setting with the number.
    more: how many more it takes from what is unreserved.
    """

    setting: str
    more: int


def check(
    env: Environment, command: str, needs: Iterable[Need], concurrency: Concurrency | None = None
) -> list[str]:
    """Return notes about what could not be checked, and about what a later step will lack.

    command: as typed, e.g. "./inv up".

    Raises Refused if a quota is too small for the command: each quota, its value, the need, and the command that
    requests more.
    """
    needs = [need for need in needs if need.more > 0]
    problems: list[str] = []
    notes: list[str] = []
    with aws_errors("the check of the account's quotas"):
        if needs:
            _check_sagemaker(env, needs, problems, notes)
        if concurrency is not None and concurrency.more > 0:
            _check_lambda(env, concurrency, problems, notes)
    if problems:
        raise Refused(
            f"{command} needs more than the account's quotas in {env.settings.region} allow: {'; '.join(problems)}. "
            "It stopped before the first job or endpoint; run it again afterwards."
        )
    return notes


def _check_sagemaker(env: Environment, needs: list[Need], problems: list[str], notes: list[str]) -> None:
    try:
        quotas = _by_name(env, {need.name for need in needs})
    except (ClientError, *NO_ANSWER) as error:  # a private network has no endpoint of Service Quotas
        notes.append(unchecked("The use of SageMaker's quotas", error))
        return
    for need in _largest(needs):
        quota = quotas.get(need.name)
        if quota is None or need.used + need.more <= quota.value:
            continue
        short = (
            f"{quota.name} ({quota.code}) is {quota.value:g}, of which {need.used:g} are in use, and {need.what} needs "
            f"{need.more:g} more: {remedy(env, quota, need.used + need.more)}"
        )
        if need.later:
            notes.append(f"Enough for now, but {short}")
        else:
            problems.append(short)


def _largest(needs: list[Need]) -> list[Need]:
    """Return the largest need of each quota: stages run one after the other. A need of now goes before a later one."""
    largest: dict[tuple[str, bool], Need] = {}
    for need in needs:
        known = largest.get((need.name, need.later))
        if known is None or need.used + need.more > known.used + known.more:
            largest[need.name, need.later] = need
    return list(largest.values())


def _by_name(env: Environment, names: set[str]) -> dict[str, Quota]:
    """Return SageMaker's quotas of these names: the account's values, else AWS's defaults."""
    client = env.client("service-quotas")
    found: dict[str, Quota] = {}
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        try:
            for page in client.get_paginator(operation).paginate(ServiceCode="sagemaker"):
                for listed in page["Quotas"]:
                    if listed["QuotaName"] in names - found.keys():
                        quota = Quota(
                            listed["ServiceCode"], listed["QuotaCode"], listed["QuotaName"], listed["Value"]
                        )
                        found[quota.name] = quota
                if names <= found.keys():
                    return found
        except ClientError as error:
            if error_code(error) != "NoSuchResourceException":
                raise
    return found


def _check_lambda(env: Environment, need: Concurrency, problems: list[str], notes: list[str]) -> None:
    try:
        limits = env.client("lambda").get_account_settings()["AccountLimit"]
    except (ClientError, *NO_ANSWER) as error:
        notes.append(unchecked("The use of Lambda's quota", error))
        return
    limit, unreserved = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    minimum = _UNRESERVED[limit >= _LARGE_ACCOUNT]
    missing = minimum - (unreserved - need.more)
    if missing <= 0:
        return
    code, name = LAMBDA_CONCURRENCY
    problems.append(
        f"{name} of Lambda ({code}) is {limit}, of which {unreserved} are not reserved, and {need.setting} takes "
        f"{need.more} of them, but Lambda keeps {minimum} for other functions: lower {need.setting}, or "
        f"{remedy(env, Quota('lambda', code, name, limit), limit + missing)}"
    )
