"""`python -m embedded_aws.contract`: writes into README.md which operations the embedded AWS has of its own.

Read from the response classes, so that the table cannot say what the code does not: an operation whose method can only
raise is refused, any other of ours is real unless `RECORDED` names it; `BENEATH` names what no class shows. What moto
does alone is not in the table.
"""

from __future__ import annotations

import argparse
import dis
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from embedded_aws.runtime import Runtime
from embedded_aws.server import app as server

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- operations: begin -->", "<!-- operations: end -->"
STATES = ("real", "recorded only", "refused")
# Operations of ours that keep what they are told and do nothing with it.
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
# Operations of moto's response classes that act on what is ours beneath: backends, objects, the evaluator.
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
    """(service, operation) → state, of every operation that is not moto's alone."""
    from moto.core.utils import camelcase_to_underscores, get_service_model

    found = {(service, name): "real" for service, names in BENEATH.items() for name in names}
    for kind in _response_classes():
        service = kind().boto3_service_name
        for operation in get_service_model(service).operation_names:
            method = camelcase_to_underscores(operation)
            owner = next((c for c in kind.__mro__ if method in vars(c)), None)
            if owner is not None and owner.__module__.startswith("embedded_aws."):
                found[service, operation] = _state(service, operation, vars(owner)[method])
    return found


def _response_classes() -> Iterator[type]:
    """Ours that moto dispatches to: those which no other of ours extends."""
    from moto.core.responses import BaseResponse

    def below(kind: type) -> Iterator[type]:
        for child in kind.__subclasses__():
            yield child
            yield from below(child)

    for kind in dict.fromkeys(below(BaseResponse)):
        ours = kind.__module__.startswith("embedded_aws.")
        if ours and not any(c.__module__.startswith("embedded_aws.") for c in kind.__subclasses__()):
            yield kind


def _state(service: str, operation: str, method: object) -> str:
    returns = any(step.opname.startswith("RETURN_") for step in dis.get_instructions(method))  # type: ignore[arg-type]
    if not returns:
        return "refused"
    return "recorded only" if operation in RECORDED.get(service, ()) else "real"


def table() -> str:
    """The section of the README, markers included."""
    found = operations()
    lines = [BEGIN, "| service | | operations |", "| --- | --- | --- |"]
    for service in sorted({service for service, _ in found}):
        for state in STATES:
            names = sorted(n for (s, n), its_state in found.items() if (s, its_state) == (service, state))
            if names:
                lines.append(f"| {service} | {state} | {', '.join(names)} |")
    return "\n".join([*lines, END])


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="embedded_aws.contract", description="Write the table of operations into embedded_aws/README.md."
    )
    parser.add_argument("--check", action="store_true", help="only say whether the table is up to date")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        server.build(Runtime(home=Path(home), port=1))
        made = table()
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if text == before + made + after:
        return
    if arguments.check:
        sys.exit(
            "The table of operations in embedded_aws/README.md is out of date: python -m embedded_aws.contract"
        )
    README.write_text(before + made + after)


if __name__ == "__main__":
    main()
