"""The Condition element: operators, qualifiers, absent keys, variables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_aws.iam import conditions
from embedded_aws.iam.conditions import like


def holds(element: dict[str, Any], **context: Any) -> bool:
    keys = {name.replace("__", ":").lower(): value for name, value in context.items()}
    return all(condition.holds(keys) for condition in conditions.parse(element))


@pytest.mark.parametrize(
    ("operator", "wanted", "value", "expected"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a", "A", False),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringNotEquals", ["b", "a"], "a", False),
        ("StringNotEquals", ["b", "c"], "a", True),
        ("StringEqualsIgnoreCase", "Ab", "aB", True),
        ("StringNotEqualsIgnoreCase", "Ab", "aB", False),
        ("StringLike", "a/*", "a/b/c", True),
        ("StringLike", "a/?", "a/bc", False),
        ("StringLike", "a[b]*", "ab", False),  # only * and ? are special
        ("StringNotLike", "a/*", "b", True),
        ("ArnLike", "arn:aws:s3:::b*", "arn:aws:s3:::bucket", True),
        ("ArnLike", "arn:aws:*:x:1:role/a", "arn:aws:iam::1:role/a", False),  # a wildcard stays in its part
        ("ArnEquals", "arn:aws:iam::1:role/*", "arn:aws:iam::1:role/a", True),
        ("ArnNotLike", "arn:aws:iam::1:role/*", "arn:aws:iam::2:role/a", True),
        ("Bool", "true", "true", True),
        ("Bool", True, "true", True),
        ("Bool", False, "true", False),
        ("NumericLessThanEquals", "3600", "3600", True),
        ("NumericLessThan", 3600, "3600", False),
        ("NumericGreaterThan", "3", "10", True),
        ("NumericNotEquals", "3", "4", True),
        ("NumericEquals", "3", "three", False),
        ("DateLessThan", "2030-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
        ("DateGreaterThan", "2030-01-01", "2026-01-01T00:00:00Z", False),
        ("DateGreaterThan", "1700000000", "2026-01-01T00:00:00Z", True),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("NotIpAddress", ["10.0.0.0/8", "127.0.0.1"], "127.0.0.1", False),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ],
)
def test_operators_compare_as_aws_documents(operator: str, wanted: Any, value: str, expected: bool) -> None:
    assert holds({operator: {"s3:Key": wanted}}, s3__key=value) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        ("StringEquals", False),
        ("StringEqualsIfExists", True),
        ("StringNotEquals", True),  # an absent key is not equal to anything
        ("StringLike", False),
        ("Bool", False),
        ("ForAllValues:StringEquals", True),
        ("ForAnyValue:StringEquals", False),
        ("ForAnyValue:StringNotEquals", False),
        ("Null", False),
    ],
)
def test_absent_keys_match_negated_and_if_exists_operators(operator: str, expected: bool) -> None:
    assert holds({operator: {"aws:TagKeys": "false" if operator == "Null" else "a"}}) is expected
    assert holds({"Null": {"aws:TagKeys": "true"}}) is True


def test_qualifiers_apply_to_multivalued_keys() -> None:
    tags = {"aws__tagkeys": ["a", "b"]}
    assert holds({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}}, **tags)
    assert not holds({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, **tags)
    assert holds({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, **tags)
    assert not holds({"ForAnyValue:StringEquals": {"aws:TagKeys": ["c"]}}, **tags)


def test_all_keys_of_all_operators_must_hold() -> None:
    element = {"StringEquals": {"a:b": "1", "a:c": "2"}, "Bool": {"aws:SecureTransport": "true"}}
    assert holds(element, a__b="1", a__c="2", aws__securetransport="true")
    assert not holds(element, a__b="1", a__c="3", aws__securetransport="true")
    assert not holds(element, a__b="1", a__c="2", aws__securetransport="false")


def test_policy_variables_are_replaced() -> None:
    context = {"aws:username": "ann*"}
    assert like("home/${aws:username}/*", "home/ann*/x", context)
    assert not like("home/${aws:username}/*", "home/anna/x", context)  # the value's star is literal
    assert not like("home/${aws:userid}/*", "home//x", context)  # no value, no match
    assert like("${aws:PrincipalTag/team, 'none'}", "none", context)
    assert like("a${*}b", "a*b", context) and not like("a${*}b", "axb", context)
    assert holds({"StringEquals": {"s3:prefix": "${aws:username}"}}, s3__prefix="ann", aws__username="ann")


def test_an_unknown_operator_is_an_error() -> None:
    for name in ("StringMatches", "ForSomeValues:StringEquals", "Stringequals"):
        with pytest.raises(ValueError, match="unknown condition operator"):
            conditions.parse({name: {"a:b": "c"}})


@given(st.text(), st.text())
def test_a_pattern_without_wildcards_matches_only_itself(pattern: str, value: str) -> None:
    literal = pattern.replace("*", "").replace("?", "").replace("$", "")
    assert like(literal, literal, {})
    assert like(literal, value, {}) is (literal == value)
    assert like(f"{literal}*", literal + value, {})
