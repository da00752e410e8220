"""What a plan tells: policies that it does not know, where a resource is written, what would be handed over."""

from __future__ import annotations

import pytest

from ops.checks import plans
from ops.errors import OperatorError


def plan(*, unknown: dict, expressions=("policy",), kind="aws_iam_role_policy") -> dict:
    """A plan of one resource in a module."""
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
def test_a_policy_that_the_plan_does_not_know_is_found(attribute, unknown, kind):
    planned = plan(unknown={"id": True, attribute: unknown}, expressions=(attribute,), kind=kind)
    assert list(plans.unknown_policies(planned)) == [(f'module.role[0].{kind}.this["a.b"]', attribute)]


def test_a_known_policy_and_one_that_aws_will_choose_are_not():
    assert list(plans.unknown_policies(plan(unknown={"id": True}))) == []
    assert list(plans.unknown_policies(plan(unknown={"policy": True}, expressions=("name",)))) == []


def test_policies_that_checkov_must_have_seen():
    assert plans.with_policies(plan(unknown={})) == ['module.role[0].aws_iam_role_policy.this["a.b"]']
    assert plans.with_policies(plan(unknown={}, kind="aws_s3_bucket")) == []


def test_a_resource_is_found_where_it_is_written(repository):
    role = repository.write(
        "terraform/modules/role/main.tf",
        '# A role.\n\nresource "aws_iam_role" "this" {\n}\n\nresource "aws_iam_role_policy" "this" {\n  a = {\n  }\n}\n',
    )
    folder = repository.root / "terraform/foundation"
    address = 'module.role[0].aws_iam_role_policy.this["a.b"]'
    assert plans.source(plan(unknown={}), address, folder) == (role.resolve(), 6, 9)
    assert plans.source(plan(unknown={}), "aws_iam_role.this", folder) == (folder / "main.tf", 1, 4)
    assert plans.source(plan(unknown={}), "aws_iam_role.that", folder) == (folder, 1, 1)


def handed_over(after: dict, unknown) -> dict:
    return plans.handover(
        {"output_changes": {"handover": {"after": after, "after_unknown": unknown}}},
        {"key_arn": "arn:aws:kms:{region}:{account_id}:key/1", "subnets": ["subnet-1"]},
    )


def test_what_only_an_apply_knows_is_filled_with_something_well_formed():
    known = {"region": "eu-west-1", "account_id": "123456789012"}
    assert handed_over(known, {"key_arn": True, "subnets": [True, True], "region": False}) == {
        **known,
        "key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1",
        "subnets": ["subnet-1"],
    }
    assert handed_over(known, False) == known


def test_an_unknown_value_without_a_sample_is_refused_by_name():
    with pytest.raises(OperatorError, match="hands over 'vpc_id', which its plan does not know: add"):
        handed_over({}, {"vpc_id": True})
