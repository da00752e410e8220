"""`python -m embedded_aws.contract`: writes the tables of services and operations into README.md.

The table of operations is read from the response classes: an operation whose method can only raise is refused; any
other embedded operation is real unless RECORDED names it. BENEATH names operations of moto's classes that use embedded
backends. Operations of moto alone are not in the table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model

from embedded_aws.runtime import Runtime
from embedded_aws.server import app as server
from embedded_aws.services import SERVICES
from embedded_aws.validation.requests import only_raises

README = Path(__file__).parents[2] / "README.md"
STATES = ("real", "recorded only", "refused")
# Embedded operations that only keep their input.
RECORDED = {
    "budgets": {
        "CreateBudget",
        "CreateSubscriber",
        "DeleteSubscriber",
        "DescribeSubscribersForNotification",
        "ListTagsForResource",
        "TagResource",
        "UntagResource",
        "UpdateBudget",
    },
    "sagemaker": {
        "CreateDomain",
        "CreateUserProfile",
        "DeleteDomain",
        "DeleteUserProfile",
        "DescribeDomain",
        "DescribeUserProfile",
        "ListDomains",
        "ListUserProfiles",
        "UpdateDomain",
        "UpdateUserProfile",
    },
    "service-quotas": {"RequestServiceQuotaIncrease"},
}
# Operations of moto's response classes that use embedded backends, S3 objects or policy evaluation.
BENEATH = {
    "application-autoscaling": {
        "DeleteScalingPolicy",
        "DeleteScheduledAction",
        "DeregisterScalableTarget",
        "PutScalingPolicy",
        "PutScheduledAction",
    },
    "cloudwatch": {"DeleteAlarms", "PutMetricAlarm", "PutMetricData", "SetAlarmState"},
    "events": {"PutEvents", "PutRule", "PutTargets"},
    "s3": {
        "CompleteMultipartUpload",
        "CopyObject",
        "DeleteObject",
        "DeleteObjects",
        "GetObject",
        "PutObject",
        "UploadPart",
    },
    "sns": {"Publish", "PublishBatch"},
    "sts": {"AssumeRole", "GetCallerIdentity"},
}


def operations() -> dict[tuple[str, str], str]:
    """Return (service, operation) → state for every operation that is not moto's alone."""
    found = {(service, name): "real" for service, names in BENEATH.items() for name in names}
    for kind in _response_classes():
        service = kind().boto3_service_name
        for operation in get_service_model(service).operation_names:
            method = camelcase_to_underscores(operation)
            owner = next((c for c in kind.__mro__ if method in vars(c)), None)
            if owner is not None and owner.__module__.startswith("embedded_aws."):
                found[service, operation] = _state(service, operation, vars(owner)[method])
    return found


def _response_classes() -> Iterator[type[Any]]:
    """Yield the embedded response classes that moto dispatches to: those without embedded subclasses."""

    def below(kind: type[Any]) -> Iterator[type[Any]]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    for kind in dict.fromkeys(below(BaseResponse)):
        ours = kind.__module__.startswith("embedded_aws.")
        if ours and not any(c.__module__.startswith("embedded_aws.") for c in kind.__subclasses__()):
            yield kind


def _state(service: str, operation: str, method: object) -> str:
    if only_raises(method):
        return "refused"
    return "recorded only" if operation in RECORDED.get(service, ()) else "real"


def operations_table() -> str:
    """Return the table of operations."""
    found = operations()
    lines = ["| service | | operations |", "| --- | --- | --- |"]
    for service in sorted({service for service, _ in found}):
        for state in STATES:
            names = sorted(n for (s, n), its_state in found.items() if (s, its_state) == (service, state))
            if names:
                lines.append(f"| {service} | {state} | {', '.join(names)} |")
    return "\n".join(lines)


def services_table() -> str:
    """Return the table of services."""
    lines = ["| service | source | beyond moto's records |", "| --- | --- | --- |"]
    lines += [f"| {service.name} | {service.source.value} | {service.summary} |" for service in SERVICES]
    return "\n".join(lines)


def updated(text: str) -> str:
    """Return the README with new tables. Call after the services are installed."""
    for name, table in (("services", services_table()), ("operations", operations_table())):
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="embedded_aws.contract",
        description="Write the tables of services and operations into README.md.",
    )
    parser.add_argument("--check", action="store_true", help="only report whether the tables are up to date")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        server.build(Runtime(home=Path(home), port=1))
        text = README.read_text(encoding="utf-8")
        new = updated(text)
    if text == new:
        return
    if arguments.check:
        sys.exit("The tables in embedded_aws/README.md are out of date. Run: python -m embedded_aws.contract")
    README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
