"""What a plan, as `terraform show -json` gives it, tells of policies and of what it would hand over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ops.errors import OperatorError

POLICIES = ("policy", "assume_role_policy", "policy_document", "resource_policy", "inline_policy")
"""Attributes of resources that hold an IAM document."""

SAMPLES = {
    "kms_key_arn": "arn:aws:kms:{region}:{account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "network": {
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "training_security_group_ids": ["sg-0123456789abcdef0"],
        "serving_security_group_ids": ["sg-0123456789abcdef1"],
    },
}
"""Well-formed values for what the foundation hands over and only an apply knows."""


def with_policies(plan: dict) -> list[str]:
    """Addresses of the IAM resources whose documents checkov has checks for: they must be among what it examined."""
    return [
        change["address"]
        for change in plan.get("resource_changes", [])
        if change["type"] in ("aws_iam_role", "aws_iam_role_policy", "aws_iam_policy", "aws_s3_bucket_policy")
        and change["mode"] == "managed"
        and change["change"]["actions"] != ["delete"]
    ]


def unknown_policies(plan: dict) -> Iterator[tuple[str, str]]:
    """Address and attribute of policies that the plan does not know: checkov would pass them, unread.

    An attribute that the configuration does not set (a default of AWS's) is not meant.
    """
    for change in plan.get("resource_changes", []):
        unknown = change["change"].get("after_unknown") or {}
        for attribute in POLICIES:
            if _any_true(unknown.get(attribute)) and attribute in _configured(plan, change["address"]):
                yield change["address"], attribute


def handover(plan: dict, samples: dict = SAMPLES) -> dict:
    """What a foundation would hand over once applied, with well-formed values for what only the apply knows.

    Raises OperatorError if there is no such value.
    """
    output = plan["output_changes"]["handover"]
    after, unknown = dict(output["after"] or {}), output["after_unknown"] or {}
    for name in sorted(name for name, value in unknown.items() if _any_true(value)):
        if name not in samples:
            raise OperatorError(
                f"The foundation hands over {name!r}, which its plan does not know: add a well-formed value to SAMPLES "
                f"in ops/checks/plans.py, for the plan of what comes after it."
            )
        sample = samples[name]
        after[name] = sample.format(**after) if isinstance(sample, str) else sample
    return after


def _any_true(value) -> bool:
    if isinstance(value, dict):
        return any(map(_any_true, value.values()))
    if isinstance(value, list):
        return any(map(_any_true, value))
    return value is True


def _configured(plan: dict, address: str) -> set[str]:
    """The arguments that the configuration sets for a resource. address: with modules and indices."""
    modules, kind, name = _parts(address)
    module = plan["configuration"]["root_module"]
    for called in modules:
        module = module["module_calls"][called]["module"]
    for resource in module.get("resources", []):
        if (resource["type"], resource["name"]) == (kind, name):
            return set(resource.get("expressions", {}))
    return set()


def source(plan: dict, address: str, folder: Path) -> tuple[Path, int, int]:
    """File, first and last line of a planned resource; the folder and 1, 1 if it is not found.

    folder: of the root. checkov itself knows a resource by type and name alone, and every module here has its `this`.
    """
    modules, kind, name = _parts(address)
    module, place = plan["configuration"]["root_module"], folder
    for called in modules:
        call = module["module_calls"][called]
        module, place = call["module"], place / call["source"]
    for path in sorted(place.glob("*.tf")):
        text = path.read_text()
        if block := re.search(rf'^resource "{kind}" "{name}" \{{\n(?:.*\n)*?\}}', text, re.MULTILINE):
            first = text.count("\n", 0, block.start()) + 1
            return path.resolve(), first, first + block.group().count("\n")
    return folder, 1, 1


def _parts(address: str) -> tuple[list[str], str, str]:
    """module.a[0].module.b.aws_x.y["k"] → [a, b], aws_x, y."""
    *modules, kind, name = re.sub(r"\[[^\]]*\]", "", address).split(".")
    return modules[1::2], kind, name
