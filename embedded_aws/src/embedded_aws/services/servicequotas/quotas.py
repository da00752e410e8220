"""Service quotas: those of a new account, and what `quotas.json` in the home folder says instead.

The file maps a service's code to quotas by name or code, e.g. {"sagemaker": {"ml.g5.xlarge for training job usage": 1}}.
It is read whenever a quota is, so that a change counts at once.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache

from moto.core.utils import get_service_model

from embedded_aws import runtime
from embedded_aws.errors import EmbeddedAwsError
from embedded_aws.services.lambda_.pool import ACCOUNT_CONCURRENCY

FILE = "quotas.json"
SERVICES = {
    "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)",
    "lambda": "AWS Lambda",
    "sagemaker": "Amazon SageMaker",
}
# Accelerators, which a new account may not use until it has asked.
_ACCELERATED = re.compile(r"ml\.(g|p|dl|inf|trn)\d")
_USES = {
    "training job": "TrainingInstanceType",
    "spot training job": "TrainingInstanceType",
    "endpoint": "ProductionVariantInstanceType",
}
_INSTANCES = 20  # of each type without accelerator
_STANDARD_VCPUS = 32  # of each market; AWS's default is 5, which it raises by itself as an account is used
_STANDARD = ("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z")
# Families (the letters of their types) → quota of On-Demand and of Spot Instances: code and name, as AWS publishes them.
_VCPUS = {
    _STANDARD: (
        ("L-1216C47A", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances"),
        ("L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"),
    ),
    ("g", "gr", "vt"): (
        ("L-DB2E81BA", "Running On-Demand G and VT instances"),
        ("L-3819A6DF", "All G and VT Spot Instance Requests"),
    ),
    ("p",): (
        ("L-417A185B", "Running On-Demand P instances"),
        ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
    ),
    ("inf",): (
        ("L-1945791B", "Running On-Demand Inf instances"),
        ("L-B5D1601B", "All Inf Spot Instance Requests"),
    ),
    ("trn",): (
        ("L-2C3B7624", "Running On-Demand Trn instances"),
        ("L-6B0D517C", "All Trn Spot Instance Requests"),
    ),
    ("dl",): (
        ("L-6E869C2A", "Running On-Demand DL instances"),
        ("L-85EED4F7", "All DL Spot Instance Requests"),
    ),
    ("f",): (
        ("L-74FC7D96", "Running On-Demand F instances"),
        ("L-88CF9481", "All F Spot Instance Requests"),
    ),
    ("x",): (
        ("L-7295265B", "Running On-Demand X instances"),
        ("L-E3A00192", "All X Spot Instance Requests"),
    ),
    ("hpc",): (("L-F7808C92", "Running On-Demand HPC instances"), None),
    ("u",): (("L-43DA4232", "Running On-Demand High Memory instances"), None),
}
_P5_SPOT = ("L-C4BD4855", "All P5 Spot Instance Requests")  # P5 and later; On-Demand, they are P's


@dataclass(frozen=True)
class Quota:
    """A quota of a service. unit: "None", as AWS has it for counts."""

    service: str
    code: str
    name: str
    default: float
    adjustable: bool = True


@cache
def of_service(service: str) -> dict[str, Quota]:
    """A service's quotas by code; none if they are not kept here.

    The codes of SageMaker's are made from the names: AWS publishes no list. Find them by name.
    """
    if service == "sagemaker":
        found = [
            Quota(service, _code(name), name, 0 if _ACCELERATED.match(kind) else _INSTANCES)
            for use, shape in _USES.items()
            for kind in get_service_model("sagemaker").shape_for(shape).enum
            for name in [f"{kind} for {use} usage"]
        ]
    elif service == "ec2":
        found = [
            Quota(service, *quota, _STANDARD_VCPUS if families == _STANDARD else 0)
            for families, both in [*_VCPUS.items(), (("p",), (_P5_SPOT,))]
            for quota in both
            if quota is not None
        ]
    elif service == "lambda":
        found = [Quota(service, "L-B99A9384", "Concurrent executions", ACCOUNT_CONCURRENCY, adjustable=False)]
    else:
        found = []
    return {quota.code: quota for quota in found}


def _code(name: str) -> str:
    return f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"


def named(service: str, name: str) -> Quota | None:
    """The quota of that name."""
    return next((quota for quota in of_service(service).values() if quota.name == name), None)


def of_instance_type(kind: str, spot: bool) -> Quota | None:
    """The vCPU quota that an EC2 instance type counts toward; None for what AWS has none for, e.g. Mac."""
    found = re.match(r"([a-z]+)-?(\d*)", kind)
    letters, generation = found.groups() if found else ("", "")
    if spot and letters == "p" and int(generation or 0) >= 5:
        return of_service("ec2")[_P5_SPOT[0]]
    both = next((both for families, both in _VCPUS.items() if letters in families), (None, None))
    quota = both[spot]
    return of_service("ec2")[quota[0]] if quota else None


def value(quota: Quota) -> float:
    """What applies to the account now. Raises EmbeddedAwsError if the file cannot be read."""
    mine = configured().get(quota.service, {})
    return mine.get(quota.name, mine.get(quota.code, quota.default)) if quota.adjustable else quota.default


def configured() -> dict[str, dict[str, float]]:
    """What the file says. Raises EmbeddedAwsError if it is not as the module's text describes it."""
    path = runtime.current().home / FILE
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise EmbeddedAwsError(f"{path} is not JSON ({error}): correct it, or remove it.") from None
    for service, quotas in content.items() if isinstance(content, dict) else [("", None)]:
        known = of_service(service).values()
        settable = {key for quota in known if quota.adjustable for key in (quota.code, quota.name)}
        for name, number in quotas.items() if isinstance(quotas, dict) else [("", None)]:
            if name not in settable or not isinstance(number, (int, float)) or number < 0:
                raise EmbeddedAwsError(
                    f"{path} must map a service's code to quotas by name or code and those to numbers, but has "
                    f"{name or quotas!r} of {service or content!r}: correct it, or remove it."
                )
    return content
