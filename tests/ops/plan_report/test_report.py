"""The report for a pull request: severe changes come first and are never left out; gates give reasons."""

from __future__ import annotations

import pytest

from ops.checks.findings import Finding
from ops.errors import OperatorError
from ops.plan_report import gates, resources
from ops.plan_report.build import stack_plan
from ops.plan_report.markdown import StackPlan, marker, render
from tests.ops.plan_report.kit import plan, resource, role_policy

READ = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::pictures/*"}
KEY = resource("aws_kms_key")
BUCKET = resource("aws_s3_bucket", bucket="pictures")
FINDING = Finding(
    "CKV_AWS_18", "Access logging: aws_s3_bucket.this", "turn it on", "terraform/modules/storage/main.tf", 7
)


def test_changes_are_sorted_by_severity():
    topic = resource("aws_sns_topic", tags=None, name="old")
    found = resources.changes(
        plan([BUCKET, topic, KEY], [KEY, {**topic, "values": {"name": "new", "tags": {}}}, role_policy()])
    )
    assert [(change.kind, change.address) for change in found] == [
        ("destroy", "aws_s3_bucket.this"),
        ("update", "aws_sns_topic.this"),
        ("create", "aws_iam_role_policy.trainer"),
    ]
    assert found[1].attributes == ("name",)


def test_a_replacement_names_the_attribute_that_forces_it():
    changed = plan([BUCKET], [resource("aws_s3_bucket", bucket="other")])
    changed["resource_changes"][0]["change"] |= {
        "actions": ["delete", "create"],
        "replace_paths": [["bucket"]],
    }
    (change,) = resources.changes(changed)
    assert (change.kind, change.because) == ("replace", ("bucket",))
    text = render("prod", [stack_plan("foundation", changed)])
    assert "**replaces** `aws_s3_bucket.this` (foundation), forced by `bucket`" in text


def test_a_report_has_all_sections_in_order():
    changed = plan([BUCKET, role_policy()], [KEY, role_policy(READ)])
    text = render("prod", [stack_plan("foundation", changed, [FINDING])], ["Planned without credentials."])
    lines = text.splitlines()
    assert lines[:2] == [marker("prod"), "## Plan for `prod`: 1 to destroy, 1 to change, 1 to add"]
    order = [
        "> Planned without credentials.",
        "- **destroys** `aws_s3_bucket.this` (foundation)",
        "| `foundation` | 1 |  | 1 | 1 |  |",
        "**New permissions** (1)",
        "| `trainer` | `s3:GetObject` | `arn:aws:s3:::pictures/*` |  |",
        "| **USD** | 0.00 | 1.00 | +1.00 |",
        "| `aws_kms_key.this` |  | key: 1.00 |",
        "| `CKV_AWS_18` | `terraform/modules/storage/main.tf:7` | Access logging: aws_s3_bucket.this: turn it on |",
        "| `foundation` | + | `aws_kms_key.this` |  |",
    ]
    assert [line for line in lines if line in order] == order


def test_a_plan_without_changes_is_reported():
    text = render(
        "dev", [stack_plan("foundation", plan([KEY], [KEY])), StackPlan("serving", skipped="no model yet")]
    )
    assert "## Plan for `dev`: no changes" in text
    assert "> `serving` is not planned: no model yet" in text
    assert "No permissions change." in text
    assert "checkov reports none." in text
    assert "CAUTION" not in text


@pytest.mark.parametrize("limit", [4_000, 12_000, 40_000])
def test_a_long_report_leaves_out_rows_but_no_destroyed_resource(limit):
    gone = [resource("aws_s3_bucket", f"b{n}") for n in range(20)]
    made = [
        role_policy({"Action": "s3:GetObject", "Resource": f"arn:aws:s3:::b{n}/*"}, role=f"role{n}")
        for n in range(400)
    ]
    text = render("prod", [stack_plan("foundation", plan(gone, made))], limit=limit)
    assert len(text) <= limit
    assert text.count("- **destroys** ") == 20
    assert "more: `./inv plan` shows them." in text


def test_pipes_in_values_are_escaped():
    odd = role_policy({"Action": "s3:GetObject", "Resource": "arn:aws:s3:::a|b"})
    assert "| `arn:aws:s3:::a\\|b` |" in render("prod", [stack_plan("foundation", plan([], [odd]))])


# ---- gates ----


@pytest.mark.parametrize(
    ("gate", "before", "after", "reason"),
    [
        ("destroy", [BUCKET], [], "destroys aws_s3_bucket.this"),
        (
            "new-permission",
            [],
            [role_policy(READ)],
            "grants new permissions (trainer: s3:GetObject on arn:aws:s3:::pictures/*)",
        ),
        ("cost>0.5", [], [KEY], "may cost 1.00 USD a month more, above the limit of 0.50"),
        (
            "cost>50",
            [],
            [resource("aws_nat_gateway")],
            "creates resources without a known price (aws_nat_gateway.this)",
        ),
    ],
)
def test_a_failing_gate_gives_its_reason(gate, before, after, reason):
    wrong = [stack_plan("foundation", plan(before, after))]
    assert gates.reasons(gates.parse(gate), wrong) == [reason]
    right = [stack_plan("foundation", plan(after, after))]
    assert gates.reasons(gates.parse(gate), right) == []


def test_an_unknown_policy_fails_the_permission_gate():
    policy = resource("aws_iam_role_policy", role="trainer")
    changed = stack_plan("foundation", plan([], [policy], {policy["address"]: ["policy"]}))
    assert gates.reasons(["new-permission"], [changed]) == [
        "grants new permissions (aws_iam_role_policy.this is unknown until apply)"
    ]


def test_a_replacement_fails_the_destroy_gate():
    changed = plan([BUCKET], [resource("aws_s3_bucket", bucket="other")])
    changed["resource_changes"][0]["change"]["actions"] = ["create", "delete"]
    plans = [stack_plan("foundation", changed)]
    assert gates.reasons(["destroy", "replace"], plans) == [
        "destroys aws_s3_bucket.this",
        "replaces aws_s3_bucket.this",
    ]


def test_findings_fail_their_gate_and_are_shortened():
    plans = [StackPlan("foundation", findings=[FINDING] * 5)]
    (reason,) = gates.reasons(["finding"], plans)
    assert reason.startswith("has findings (CKV_AWS_18 at terraform/modules/storage/main.tf:7, ")
    assert reason.endswith(" and 2 more)")


def test_gates_are_separated_by_commas():
    assert gates.parse("destroy, new-permission,cost > 50") == ["destroy", "new-permission", "cost>50"]


@pytest.mark.parametrize("text", ["destory", "cost", "cost>", "cost>many"])
def test_an_unknown_gate_is_refused(text):
    with pytest.raises(
        OperatorError, match="the gates are destroy, replace, new-permission, finding, cost>USD"
    ):
        gates.parse(text)
