"""Reading plans: unknown policies, source locations and outputs of the foundation."""

from __future__ import annotations

import pytest

from ops.checks import plans
from ops.errors import OperatorError


def plan(*, unknown: dict, expressions=("policy",), kind="aws_iam_role_policy") -> dict:
    """Return a plan of one resource in a module."""
    resource = {"type": kind, "name": "this", "expressions": {name: {} for name in expressions}}
    change = {
        "address": f'module.role[0].{kind}.this["a.b"]',
        "type": kind,
        "mode": "managed",
        "change": {"actions": ["create"], "after": {}, "after_unknown": unknown},
    }
    called = {"source": "../modules/role", "module": {"resources": [resource]}}
    return {
        "resource_changes": [change],
        "configuration": {"root_module": {"module_calls": {"role": called}}},
    }


@pytest.mark.parametrize(
    ("attribute", "unknown", "kind"),
    [
        ("policy", True, "aws_iam_role_policy"),
        ("assume_role_policy", True, "aws_iam_role"),
        ("policy", True, "aws_kms_key"),
        ("policy", True, "aws_sqs_queue_policy"),
        ("inline_policy", [{"policy": True}], "aws_iam_role"),
    ],
)
def test_an_unknown_policy_is_reported(attribute, unknown, kind):
    planned = plan(unknown={"id": True, attribute: unknown}, expressions=(attribute,), kind=kind)
    assert list(plans.unknown_policies(planned)) == [(f'module.role[0].{kind}.this["a.b"]', attribute)]


def test_a_known_or_unconfigured_policy_is_not_reported():
    assert list(plans.unknown_policies(plan(unknown={"id": True}))) == []
    assert list(plans.unknown_policies(plan(unknown={"policy": True}, expressions=("name",)))) == []


def test_with_policies_returns_the_resources_that_checkov_must_examine():
    assert plans.with_policies(plan(unknown={})) == ['module.role[0].aws_iam_role_policy.this["a.b"]']
    assert plans.with_policies(plan(unknown={}, kind="aws_s3_bucket")) == []


def test_source_returns_file_and_lines_of_a_resource(repository):
    role = repository.write(
        "terraform/modules/role/main.tf",
        '# A role.\n\nresource "aws_iam_role" "this" {\n}\n\nresource "aws_iam_role_policy" "this" {\n  a = {\n  }\n}\n',
    )
    folder = repository.root / "terraform/foundation"
    address = 'module.role[0].aws_iam_role_policy.this["a.b"]'
    assert plans.source(plan(unknown={}), address, folder) == (role.resolve(), 6, 9)
    assert plans.source(plan(unknown={}), "aws_iam_role.this", folder) == (folder / "main.tf", 1, 4)
    assert plans.source(plan(unknown={}), "aws_iam_role.that", folder) == (folder, 1, 1)


def outputs(after: dict, unknown) -> dict:
    return plans.foundation_outputs(
        {"output_changes": {"stack_outputs": {"after": after, "after_unknown": unknown}}},
        {"key_arn": "arn:aws:kms:{region}:{account_id}:key/1", "subnets": ["subnet-1"]},
    )


def test_unknown_outputs_get_sample_values():
    known = {"region": "eu-west-1", "account_id": "123456789012"}
    assert outputs(known, {"key_arn": True, "subnets": [True, True], "region": False}) == {
        **known,
        "key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1",
        "subnets": ["subnet-1"],
    }
    assert outputs(known, False) == known


def test_an_unknown_output_without_a_sample_value_is_refused():
    with pytest.raises(OperatorError, match="Output 'vpc_id' of the foundation is unknown at plan time: add"):
        outputs({}, {"vpc_id": True})
