"""Service quotas of a new account, and the changes to them in `quotas.json` in the home folder.

The file maps a service code to quotas by name or code, e.g. {"sagemaker": {"ml.g5.xlarge for training job usage": 1}}.
It is read on every use, so a change takes effect at once.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from moto.core.utils import get_service_model

from embedded_aws.errors import EmbeddedAwsError
from embedded_aws.services.lambda_.pool import ACCOUNT_CONCURRENCY

FILE = "quotas.json"
SERVICES = {
    "ec2": "Amazon Elastic Compute Cloud (Amazon EC2)",
    "lambda": "AWS Lambda",
    "sagemaker": "Amazon SageMaker",
}
# Accelerators: a new account has a quota of 0.
_ACCELERATED = re.compile(r"ml\.(g|p|dl|inf|trn)\d")
_USES = {  # use of an instance type: the shape in SageMaker's model that lists its types
    "training job": "TrainingInstanceType",
    "spot training job": "TrainingInstanceType",
    "processing job": "ProcessingInstanceType",
    "endpoint": "ProductionVariantInstanceType",
}
_INSTANCES = 20  # per instance type without accelerator
# Quotas of all instance types together. AWS gives a new account 4 to 20 instances and a concurrency of 10.
ALL_TRAINING = "Number of instances across all training jobs"
ALL_SPOT_TRAINING = "Number of instances across all spot training jobs"
ALL_PROCESSING = "Number of instances across all processing jobs"
ALL_ENDPOINTS = "Number of instances across active endpoints"
PARALLEL_TRIALS = (
    "Maximum number of training jobs each hyper parameter tuning job can run in parallel at once"
)
SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"
_TOTALS = {  # name: code as AWS publishes it, default
    ALL_TRAINING: ("L-00C91CB5", 100),
    ALL_SPOT_TRAINING: ("", 100),
    ALL_PROCESSING: ("", 100),
    ALL_ENDPOINTS: ("L-7A3DF611", 100),
    PARALLEL_TRIALS: ("L-11294128", 10),
    SERVERLESS_CONCURRENCY: ("L-96300102", 200),
}
_STANDARD_VCPUS = 32  # per market; AWS starts at 5 and raises it as an account is used
_STANDARD = ("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z")
# Instance families (letters of their types) → On-Demand and Spot quota: code and name as AWS publishes them.
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
_P5_SPOT = ("L-C4BD4855", "All P5 Spot Instance Requests")  # P5 and later; On-Demand counts as P


@dataclass(frozen=True)
class Quota:
    """A quota of a service."""

    service: str
    code: str
    name: str
    default: float
    adjustable: bool = True


@cache
def of_service(service: str) -> dict[str, Quota]:
    """Return the quotas of a service by code; empty for a service without quotas here.

    AWS publishes no list of SageMaker's quota codes. Most codes here are derived from the names: find quotas by name.
    """
    if service == "sagemaker":
        found = [
            Quota(service, _code(name), name, 0 if _ACCELERATED.match(kind) else _INSTANCES)
            for use, shape in _USES.items()
            for kind in get_service_model("sagemaker").shape_for(shape).enum
            for name in [f"{kind} for {use} usage"]
        ] + [Quota(service, code or _code(name), name, value) for name, (code, value) in _TOTALS.items()]
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
    """Return the quota with a name, or None."""
    return next((quota for quota in of_service(service).values() if quota.name == name), None)


def of_instance_type(kind: str, spot: bool) -> Quota | None:
    """Return the vCPU quota that an EC2 instance type counts toward; None for types without one, e.g. Mac."""
    found = re.match(r"([a-z]+)-?(\d*)", kind)
    letters, generation = found.groups() if found else ("", "")
    if spot and letters == "p" and int(generation or 0) >= 5:
        return of_service("ec2")[_P5_SPOT[0]]
    both = next((both for families, both in _VCPUS.items() if letters in families), (None, None))
    quota = both[spot]
    return of_service("ec2")[quota[0]] if quota else None


class Quotas:
    """Quotas that apply to the account: the defaults, changed by `quotas.json` in the home folder."""

    def __init__(self, home: Path):
        self._path = home / FILE

    def value(self, quota: Quota) -> float:
        """Return the value of a quota now. Raises EmbeddedAwsError if the file is not valid."""
        if not quota.adjustable:
            return quota.default
        changed = self.configured().get(quota.service, {})
        return changed.get(quota.name, changed.get(quota.code, quota.default))

    def configured(self) -> dict[str, dict[str, float]]:
        """Return the content of the file; empty without a file. Raises EmbeddedAwsError if it is not valid."""
        try:
            content: dict[str, dict[str, float]] = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise EmbeddedAwsError(f"{self._path} is not JSON ({error}). Correct or remove it.") from None
        for service, quotas in content.items() if isinstance(content, dict) else [("", None)]:
            known = of_service(service).values()
            settable = {key for quota in known if quota.adjustable for key in (quota.code, quota.name)}
            for name, number in quotas.items() if isinstance(quotas, dict) else [("", None)]:
                if name not in settable or not isinstance(number, (int, float)) or number < 0:
                    raise EmbeddedAwsError(
                        f"{self._path}: {name or quotas!r} of {service or content!r} is not valid. The file must map "
                        "service codes to quotas (by name or code), and quotas to numbers. Correct or remove it."
                    )
        return content
