"""The input of targets: paths, templates, constants."""

from __future__ import annotations

import json

import pytest

from embedded_aws.services.events import transform

EVENT = {
    "id": "1",
    "detail-type": "EC2 Instance State-change Notification",
    "time": "2026-01-02T03:04:05Z",
    "resources": ["arn:a", "arn:b"],
    "detail": {"instance-id": "i-0", "state": "running", "list": [{"n": 1}, {"n": 2}], "quote": 'say "no"'},
}


@pytest.mark.parametrize(
    "path, value",
    [
        ("$", EVENT),
        ("$.detail-type", EVENT["detail-type"]),
        ("$.detail.state", "running"),
        ("$.resources[1]", "arn:b"),
        ("$.resources[2]", None),
        ("$.detail.list[*].n", [1, 2]),
        ("$.nothing.at.all", None),
    ],
)
def test_find_returns_the_value_at_a_path(path, value):
    assert transform.find(EVENT, path) == value


@pytest.mark.parametrize(
    "template, expected",
    [
        ('"<instance> is <state>"', '"i-0 is running"'),
        ('{"state": <state>, "all": <detail>}', {"state": "running", "all": EVENT["detail"]}),
        ('{"text": "<quote>, \\"<state>\\""}', {"text": 'say "no", "running"'}),
        ('{"none": <missing>, "text": "<missing>"}', {"none": None, "text": ""}),
        (
            '{"rule": "<aws.events.rule-name>", "event": <aws.events.event>}',
            {"rule": "r", "event": {key: value for key, value in EVENT.items() if key != "detail"}},
        ),
        ('"first"\n"<state>"', '"first"\n"running"'),
    ],
)
def test_template_is_filled(template, expected):
    paths = {name: f"$.detail.{name}" for name in ("state", "quote", "missing")}
    paths |= {"instance": "$.detail.instance-id", "detail": "$.detail"}
    target = {"Id": "t", "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}
    assert transform.check(target) == ""
    text = transform.payload(target, EVENT, "r", "arn:r")
    assert (text if isinstance(expected, str) else json.loads(text)) == expected


def test_payload_is_a_part_a_constant_or_the_whole_event():
    assert json.loads(transform.payload({"Id": "t", "InputPath": "$.detail.list"}, EVENT, "r", "a")) == [
        {"n": 1},
        {"n": 2},
    ]
    assert transform.payload({"Id": "t", "Input": '{"a": 1}'}, EVENT, "r", "a") == '{"a": 1}'
    assert json.loads(transform.payload({"Id": "t"}, EVENT, "r", "a")) == EVENT


@pytest.mark.parametrize(
    "target, mistake",
    [
        ({"Input": "{"}, "JSON syntax error"),
        ({"Input": "{}", "InputPath": "$.detail"}, "Only one of"),
        ({"InputPath": "detail"}, "Invalid JSON path detail"),
        ({"InputTransformer": {"InputPathsMap": {"a": "$..b"}, "InputTemplate": "<a>"}}, "Invalid JSON path"),
        ({"InputTransformer": {"InputTemplate": '"<state>"'}}, "invalid placeholder state"),
    ],
)
def test_check_returns_the_error_of_an_invalid_input(target, mistake):
    assert mistake in transform.check({"Id": "t", **target})


def test_filled_template_must_be_valid_json():
    transformer = {"InputPathsMap": {"list": "$.detail.list"}, "InputTemplate": '{"a": <list>, }'}
    with pytest.raises(ValueError, match="is not valid JSON"):
        transform.payload({"Id": "t", "InputTransformer": transformer}, EVENT, "r", "a")
