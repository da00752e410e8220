"""Requests held against the models of their operations."""

from __future__ import annotations

from typing import Any

import pytest
from moto.core.utils import get_service_model

from embedded_aws.validation import exemptions, patterns, shapes

TAGS = [{"Key": "k", "Value": "v"}]


def found(service: str, operation: str, **parameters: Any) -> list[tuple[str, str]]:
    return [(".".join(v.path), v.rule) for v in shapes.violations(service, operation, parameters)]


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "expected"),
    [
        ("iam", "CreateRole", {"RoleName": "r"}, [("AssumeRolePolicyDocument", "required")]),
        ("iam", "DeleteRole", {"RoleName": "a b"}, [("RoleName", "pattern")]),
        ("iam", "DeleteRole", {"RoleName": "a" * 65}, [("RoleName", "length")]),
        ("iam", "TagRole", {"RoleName": "r", "Tags": [{"Key": "k"}]}, [("Tags.1.member.Value", "required")]),
        ("iam", "TagRole", {"RoleName": "r", "Tags": [None]}, [("Tags.1.member", "required")]),
        ("ssm", "PutParameter", {"Name": "n", "Value": "v", "Type": "Text"}, [("Type", "enum")]),
        ("logs", "FilterLogEvents", {"logGroupName": "g", "limit": 0}, [("limit", "range")]),
        ("lambda", "TagResource", {"Resource": "x", "Tags": {}}, [("Resource", "pattern")]),
        (
            "application-autoscaling",
            "TagResource",
            {
                "ResourceARN": "arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/x",
                "Tags": {"k": "v" * 257},
            },
            [("Tags.k.member", "length")],
        ),
        (
            "logs",
            "PutTransformer",
            {"logGroupIdentifier": "g", "transformerConfig": []},
            [("transformerConfig", "length")],
        ),
        (
            "sagemaker",
            "AddTags",
            {"ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:model/m", "Tags": TAGS},
            [],
        ),
    ],
)
def test_violations_have_the_path_of_the_member_and_the_rule(
    service: str, operation: str, parameters: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert found(service, operation, **parameters) == expected


def test_shapes_that_contain_themselves_are_checked_at_every_level() -> None:
    nested = {"And": [{"Not": {"Dimensions": {"Key": "BOGUS", "Values": ["v"]}}}]}
    period = {"Start": "2026-01-01", "End": "2026-02-01"}
    violated = found(
        "ce", "GetCostAndUsage", TimePeriod=period, Granularity="DAILY", Metrics=["m"], Filter=nested
    )
    assert violated == [("Filter.And.1.member.Not.Dimensions.Key", "enum")]


@pytest.mark.parametrize(
    ("rule", "matching", "other"),
    [
        (r"[\w+=,.@-]+", "a-b_C@1", "é"),
        (r"[\w-_.]+", "a-b", "a b"),
        (r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$", "élan 1/2", "a#b"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*", "text \U0001f600", "\x00"),
        (r"^(?![^:\\]*/action/|(?i).*<script>.*</script>.*)[^:\\]+$", "monthly", "<SCRIPT>x</SCRIPT>"),
        (r"[a[b]+", "a[b", "c"),
        (r"\d{12}", "123456789012", "١٢٣٤٥٦٧٨٩٠١٢"),
    ],
)
def test_patterns_of_the_models_mean_what_java_means(rule: str, matching: str, other: str) -> None:
    pattern = patterns.compiled(rule)
    assert pattern is not None
    assert pattern.fullmatch(matching) and not pattern.fullmatch(other)


def test_every_exemption_names_a_constraint_of_the_model_and_a_reason() -> None:
    for row in exemptions.EXEMPTIONS:
        shape = get_service_model(row.service).shape_for(row.shape)
        limits = {"length": ("min", "max"), "range": ("min", "max")}.get(row.rule, (row.rule,))
        assert set(limits) & (set(shape.metadata) | set(getattr(shape, "required_members", ()))), row
        assert len(row.reason) > 20, row
