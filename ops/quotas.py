"""What the account may launch, asked before it is launched: EC2's vCPUs by family and market."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass

from botocore.exceptions import ClientError

from ops.aws import aws_errors, client, error_code
from ops.errors import OperatorError

_STANDARD = ("L-1216C47A", "L-34B43A08")
_GRAPHICS = ("L-DB2E81BA", "L-3819A6DF")
# Letters before a type's first digit → quota codes of On-Demand and of Spot Instances, as "Amazon EC2 endpoints and
# quotas" lists them; "" where AWS has none.
_FAMILIES = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), _STANDARD),
    **dict.fromkeys(("g", "gr", "vt"), _GRAPHICS),
    "dl": ("L-6E869C2A", "L-85EED4F7"),
    "f": ("L-74FC7D96", "L-88CF9481"),
    "hpc": ("L-F7808C92", ""),
    "inf": ("L-1945791B", "L-B5D1601B"),
    "p": ("L-417A185B", "L-7212CCBC"),
    "trn": ("L-2C3B7624", "L-6B0D517C"),
    "u": ("L-43DA4232", ""),
    "x": ("L-7295265B", "L-E3A00192"),
}
_P5_SPOT = "L-C4BD4855"  # P5 and later; some accounts have one quota for all of P instead
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_UNDECIDED = ("PENDING", "CASE_OPENED")


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota as it applies to the account in a region. service: AWS's code of it, e.g. "ec2"."""

    service: str
    code: str
    name: str
    value: float


def check_vcpus(region: str, instance_type: str, *, spot: bool = False, count: int = 1) -> str | None:
    """Whether EC2 may launch `count` more instances of a type: what AWS has not said, as a sentence for people, or None.

    Instances that are pending or running count, by the default vCPUs of their types, with those of the same quota and
    market. A caller who may not read quotas learns that they were not checked. Raises OperatorError if AWS has no such
    type in the region, or if the quota is too small: its code, value, use, what is needed, and how to ask for more.
    """
    market = "a Spot Instance" if spot else "an On-Demand Instance"
    with aws_errors(f"checking the vCPU quota of {instance_type}"):
        try:
            wanted = count * _vcpus(region, {instance_type})[instance_type]
            quota = _first(region, codes_of(instance_type, spot))
            if quota is None:
                return (
                    f"AWS lists no vCPU quota for {instance_type} as {market} in {region}: "
                    "whether the account may launch it shows when it does."
                )
            used = _in_use(region, quota.code, spot)
            if used + wanted <= quota.value:
                return None
            raise OperatorError(
                f"The account's quota {quota.code} ({quota.name}) in {region} is {quota.value:g} vCPUs, of which {used} "
                f"are in use, and {count} more {instance_type} would need {used + wanted}: "
                f"{_remedy(region, quota, used + wanted)}."
            )
        except ClientError as error:
            return _unchecked(f"The vCPU quota of {instance_type}", error)


def codes_of(instance_type: str, spot: bool) -> list[str]:
    """The codes of the quota that an EC2 instance type counts toward: the first that the account has. Empty: none."""
    found = re.match(r"([a-z]+)-?(\d*)", instance_type)
    letters, generation = found.groups() if found else ("", "")
    code = _FAMILIES.get(letters, ("", ""))[spot]
    if spot and letters == "p" and int(generation or 0) >= 5:
        return [_P5_SPOT, code]
    return [code] if code else []


def _vcpus(region: str, types: set[str]) -> dict[str, int]:
    """The default vCPUs of instance types. Raises OperatorError for one that the region does not have."""
    if not types:
        return {}
    pages = client("ec2", region).get_paginator("describe_instance_types")
    try:
        return {
            kind["InstanceType"]: kind["VCpuInfo"]["DefaultVCpus"]
            for page in pages.paginate(InstanceTypes=sorted(types))
            for kind in page["InstanceTypes"]
        }
    except ClientError as error:
        if error_code(error) not in ("InvalidInstanceType", "InvalidParameterValue"):
            raise
        near = [name for kind in sorted(types) for name in _near(region, kind)]
        raise OperatorError(
            f"EC2 has no instance type {' or '.join(map(repr, sorted(types)))} in {region}: "
            f"did you mean {' or '.join(near)}?"
        ) from error


def _near(region: str, instance_type: str) -> list[str]:
    """Types of the region whose names are much like one that it does not have."""
    asked = instance_type.lower().removeprefix("ml.")  # SageMaker's name of it
    pages = client("ec2", region).get_paginator("describe_instance_types")
    alike = [{"Name": "instance-type", "Values": [f"{asked[:1]}*"]}]
    names = [kind["InstanceType"] for page in pages.paginate(Filters=alike) for kind in page["InstanceTypes"]]
    return difflib.get_close_matches(asked, sorted(names), 3) or ["t3.medium", "g5.xlarge"]


def _in_use(region: str, code: str, spot: bool) -> int:
    """The vCPUs that count against a quota."""
    pages = client("ec2", region).get_paginator("describe_instances")
    running = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    types = Counter(
        instance["InstanceType"]
        for page in pages.paginate(Filters=running)
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        # Capacity blocks are a market of their own; Dedicated Hosts have quotas of their own.
        if instance.get("InstanceLifecycle") == ("spot" if spot else None)
        and instance.get("Placement", {}).get("Tenancy") != "host"
        and code in codes_of(instance["InstanceType"], spot)
    )
    ours = {kind for kind in types if _is_first(region, code, codes_of(kind, spot))}
    vcpus = _vcpus(region, ours)
    return sum(types[kind] * vcpus[kind] for kind in ours)


def _is_first(region: str, code: str, codes: list[str]) -> bool:
    """Whether a code is the first of some that the account has."""
    return codes[0] == code or all(_quota(region, earlier) is None for earlier in codes[: codes.index(code)])


def _first(region: str, codes: list[str]) -> Quota | None:
    return next((quota for code in codes if (quota := _quota(region, code))), None)


def _quota(region: str, code: str) -> Quota | None:
    """A quota of EC2's: the account's own value, else AWS's default. None if AWS does not have it."""
    quotas = client("service-quotas", region)
    for ask in (quotas.get_service_quota, quotas.get_aws_default_service_quota):
        try:
            return _read(ask(ServiceCode="ec2", QuotaCode=code)["Quota"])
        except ClientError as error:
            if error_code(error) != "NoSuchResourceException":
                raise
    return None


def _read(quota: dict) -> Quota:
    return Quota(quota["ServiceCode"], quota["QuotaCode"], quota["QuotaName"], quota["Value"])


def _remedy(region: str, quota: Quota, needed: int) -> str:
    """What to do about a quota that is too small, in words that end a sentence."""
    command = (
        f"`aws service-quotas request-service-quota-increase --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {needed} --region {region}`"
    )
    asked = _open_request(region, quota)
    if asked is None:
        return f"ask for more with {command}"
    if asked[0] >= needed:
        return f"a request for {asked[0]:g} is already open ({asked[1]}), so wait until AWS has granted it"
    return f"a request for {asked[0]:g} is already open ({asked[1]}), so once AWS has answered it ask with {command}"


def _open_request(region: str, quota: Quota) -> tuple[float, str] | None:
    """The desired value and the status of a request that AWS has not decided; None also if it may not be looked at."""
    history = client("service-quotas", region).get_paginator(
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
        if error_code(error) not in _DENIED:
            raise
        return None


def _unchecked(what: str, error: ClientError) -> str:
    """The note of a caller who may not look. Raises what else AWS said."""
    if error_code(error) not in _DENIED:
        raise error
    return f"{what} was not checked, as the caller may not call {error.operation_name}: AWS decides at the launch."
