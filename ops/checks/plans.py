"""Read plans, the output of `terraform show -json`: policies, source locations and stack outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ops.errors import OperatorError

Json = dict[str, Any]

POLICIES = ("policy", "assume_role_policy", "policy_document", "resource_policy", "inline_policy")
"""Attributes that hold a policy document."""

SAMPLES = {
    "kms_key_arn": "arn:aws:kms:{region}:{account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "network": {
        "vpc_id": "vpc-0123456789abcdef0",
        "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        "training_security_group_ids": ["sg-0123456789abcdef0"],
        "serving_security_group_ids": ["sg-0123456789abcdef1"],
    },
}
"""Well-formed values of foundation outputs that are unknown until apply."""


def with_policies(plan: Json) -> list[str]:
    """Return the addresses of the policies that checkov has checks for, and so must have examined."""
    return [
        change["address"]
        for change in plan.get("resource_changes", [])
        if change["type"] in ("aws_iam_role", "aws_iam_role_policy", "aws_iam_policy", "aws_s3_bucket_policy")
        and change["mode"] == "managed"
        and change["change"]["actions"] != ["delete"]
    ]


def unknown_policies(plan: Json) -> Iterator[tuple[str, str]]:
    """Yield address and attribute of policies that are unknown at plan time: checkov passes them without reading.

    Attributes that the configuration does not set are left out: AWS chooses them.
    """
    for change in plan.get("resource_changes", []):
        unknown = change["change"].get("after_unknown") or {}
        for attribute in POLICIES:
            if _any_true(unknown.get(attribute)) and attribute in _configured(plan, change["address"]):
                yield change["address"], attribute


def foundation_outputs(plan: Json, samples: Json = SAMPLES) -> Json:
    """Return the outputs of a planned foundation, with sample values for those that are unknown until apply.

    Raises:
        OperatorError: An unknown output has no sample value.
    """
    output = plan["output_changes"]["stack_outputs"]
    after, unknown = dict(output["after"] or {}), output["after_unknown"] or {}
    for name in sorted(name for name, value in unknown.items() if _any_true(value)):
        if name not in samples:
            raise OperatorError(
                f"Output {name!r} of the foundation is unknown at plan time: add a sample value to SAMPLES in "
                "ops/checks/plans.py, so that the stacks that use it can be planned."
            )
        sample = samples[name]
        after[name] = sample.format(**after) if isinstance(sample, str) else sample
    return after


def _any_true(value: Any) -> bool:
    """Return whether an `after_unknown` value marks anything as unknown."""
    if isinstance(value, dict):
        return any(map(_any_true, value.values()))
    if isinstance(value, list):
        return any(map(_any_true, value))
    return value is True


def _configured(plan: Json, address: str) -> set[str]:
    """Return the arguments that the configuration sets for a resource."""
    modules, kind, name = _parts(address)
    module = plan["configuration"]["root_module"]
    for called in modules:
        module = module["module_calls"][called]["module"]
    for resource in module.get("resources", []):
        if (resource["type"], resource["name"]) == (kind, name):
            return set(resource.get("expressions", {}))
    return set()


def source(plan: Json, address: str, folder: Path) -> tuple[Path, int, int]:
    """Return file, first and last line of a planned resource; the root's folder, 1 and 1 if it is not found.

    checkov finds a resource by type and name, which is ambiguous here: every module has a resource `this`.
    """
    modules, kind, name = _parts(address)
    module, place = plan["configuration"]["root_module"], folder
    for called in modules:
        call = module["module_calls"][called]
        module, place = call["module"], place / call["source"]
    for path in sorted(place.glob("*.tf")):
        text = path.read_text(encoding="utf-8")
        if block := re.search(rf'^resource "{kind}" "{name}" \{{\n(?:.*\n)*?\}}', text, re.MULTILINE):
            first = text.count("\n", 0, block.start()) + 1
            return path.resolve(), first, first + block.group().count("\n")
    return folder, 1, 1


def _parts(address: str) -> tuple[list[str], str, str]:
    """Split an address: module.a[0].module.b.aws_x.y["k"] → [a, b], aws_x, y."""
    *modules, kind, name = re.sub(r"\[[^\]]*\]", "", address).split(".")
    return modules[1::2], kind, name
