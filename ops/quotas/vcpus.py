"""EC2's vCPU quotas, checked before a launch."""

from __future__ import annotations

import difflib
from collections import Counter

from botocore.exceptions import ClientError

from ops.aws import aws_errors, error_code
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts.vcpu_quotas import codes_of
from ops.quotas.quota import Quota, remedy, unchecked


def check_vcpus(env: Environment, instance_type: str, *, spot: bool = False, count: int = 1) -> str | None:
    """Check whether the quota allows `count` more instances of a type. Returns a note if it could not be checked.

    Counts the default vCPUs of the pending and running instances of the same quota and market.

    Raises OperatorError if AWS has no such type in the region, or if the quota is too small.
    """
    market = "a Spot Instance" if spot else "an On-Demand Instance"
    region = env.settings.region
    with aws_errors(f"the check of the vCPU quota of {instance_type}"):
        try:
            wanted = count * _vcpus(env, {instance_type})[instance_type]
            quota = _first(env, codes_of(instance_type, spot))
            if quota is None:
                return (
                    f"AWS lists no vCPU quota for {instance_type} as {market} in {region}: "
                    "the launch will show whether the account may launch it."
                )
            used = _in_use(env, quota.code, spot)
            if used + wanted <= quota.value:
                return None
            raise OperatorError(
                f"The account's quota {quota.code} ({quota.name}) in {region} is {quota.value:g} vCPUs, of which {used} "
                f"are in use, and {count} more {instance_type} would need {used + wanted}: "
                f"{remedy(env, quota, used + wanted)}."
            )
        except ClientError as error:
            return unchecked(f"The vCPU quota of {instance_type}", error)


def _vcpus(env: Environment, types: set[str]) -> dict[str, int]:
    """Return the default vCPUs of instance types. Raises OperatorError for a type that the region does not have."""
    if not types:
        return {}
    pages = env.client("ec2").get_paginator("describe_instance_types")
    try:
        return {
            kind["InstanceType"]: kind["VCpuInfo"]["DefaultVCpus"]
            for page in pages.paginate(InstanceTypes=sorted(types))
            for kind in page["InstanceTypes"]
        }
    except ClientError as error:
        if error_code(error) not in ("InvalidInstanceType", "InvalidParameterValue"):
            raise
        near = [name for kind in sorted(types) for name in _near(env, kind)]
        raise OperatorError(
            f"EC2 has no instance type {' or '.join(map(repr, sorted(types)))} in {env.settings.region}: "
            f"did you mean {' or '.join(near)}?"
        ) from error


def _near(env: Environment, instance_type: str) -> list[str]:
    """Return types of the region with names similar to one that it does not have."""
    name = instance_type.lower().removeprefix("ml.")  # SageMaker's prefix
    pages = env.client("ec2").get_paginator("describe_instance_types")
    similar = [{"Name": "instance-type", "Values": [f"{name[:1]}*"]}]
    names = [
        kind["InstanceType"] for page in pages.paginate(Filters=similar) for kind in page["InstanceTypes"]
    ]
    return difflib.get_close_matches(name, sorted(names), 3) or ["t3.medium", "g5.xlarge"]


def _in_use(env: Environment, code: str, spot: bool) -> int:
    """Return the vCPUs that count against a quota."""
    pages = env.client("ec2").get_paginator("describe_instances")
    running = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    types = Counter(
        instance["InstanceType"]
        for page in pages.paginate(Filters=running)
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        # Capacity blocks are another market, and Dedicated Hosts have quotas of their own.
        if instance.get("InstanceLifecycle") == ("spot" if spot else None)
        and instance.get("Placement", {}).get("Tenancy") != "host"
        and code in codes_of(instance["InstanceType"], spot)
    )
    counted = {kind for kind in types if _applies(env, code, codes_of(kind, spot))}
    vcpus = _vcpus(env, counted)
    return sum(types[kind] * vcpus[kind] for kind in counted)


def _applies(env: Environment, code: str, codes: list[str]) -> bool:
    """Return whether `code` is the first of `codes` that the account has."""
    return codes[0] == code or all(_quota(env, earlier) is None for earlier in codes[: codes.index(code)])


def _first(env: Environment, codes: list[str]) -> Quota | None:
    return next((quota for code in codes if (quota := _quota(env, code))), None)


def _quota(env: Environment, code: str) -> Quota | None:
    """Return an EC2 quota with the account's value, else AWS's default; None if AWS has no such quota."""
    quotas = env.client("service-quotas")
    for get in (quotas.get_service_quota, quotas.get_aws_default_service_quota):
        try:
            found = get(ServiceCode="ec2", QuotaCode=code)["Quota"]
        except ClientError as error:
            if error_code(error) != "NoSuchResourceException":
                raise
        else:
            return Quota(found["ServiceCode"], found["QuotaCode"], found["QuotaName"], found["Value"])
    return None
