"""Composite alarms: their rules, and their states on the running embedded AWS."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from moto.cloudwatch.exceptions import ValidationError

from alarms_kit import Alarms
from embedded_aws.services.cloudwatch import composite
from events_kit import Queue, unique

STOP = "arn:aws:automate:us-east-1:ec2:stop"


@pytest.fixture(scope="module")
def alarms(embedded_aws):
    return Alarms(embedded_aws)


@pytest.mark.parametrize(
    "rule, expected",
    [
        ("ALARM(a)", True),
        ("OK(a)", False),
        ('ALARM("a") AND OK("b")', True),
        ("NOT ALARM(a) OR ALARM(a)", True),
        ("OK(a) AND OK(b) OR OK(b)", True),  # AND binds closer than OR
        ("OK(a) AND (OK(b) OR OK(b))", False),
        ("NOT (ALARM(a) AND OK(b))", False),
        ("INSUFFICIENT_DATA(with (brackets) no)", None),
        ('INSUFFICIENT_DATA("with (brackets)")', True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a) and not false", True),
        ("TRUE", True),
        ("FALSE OR NOT TRUE", False),
        ("ALARM(a) OK(b)", None),
        ("ALARM(a) AND", None),
        ("(ALARM(a)", None),
        ("BROKEN(a)", None),
        ("ALARM()", None),
        ("", None),
    ],
)
def test_rule_is_parsed_and_evaluated(rule, expected):
    states = {"a": "ALARM", "b": "OK", "with (brackets)": "INSUFFICIENT_DATA"}
    if expected is None:
        with pytest.raises(ValidationError):
            composite.parse(rule)
    else:
        assert composite.holds(composite.parse(rule), states.__getitem__) is expected


def test_children_are_listed_in_order():
    rule = composite.parse('ALARM(a) AND (NOT OK("b c") OR ALARM(a)) AND TRUE')
    assert list(composite.children(rule)) == ["a", "b c", "a"]
    with pytest.raises(ValidationError, match="500"):
        composite.parse(" OR ".join(["TRUE"] * 300))


def test_composite_alarm_follows_its_children(embedded_aws, alarms, until):
    queue, sns = Queue(embedded_aws), embedded_aws.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    errors, slow, deploying = alarms.metric(), alarms.metric(), alarms.metric()
    rule = f'(ALARM("{errors}") OR ALARM({slow})) AND NOT ALARM({deploying})'
    settings = {"AlarmActions": [topic], "OKActions": [topic], "AlarmDescription": "service"}
    service = alarms.composite(rule, **settings)
    above = alarms.composite(f"ALARM({service})")
    created = alarms.described(service)
    assert (
        created["StateValue"] == "OK"
        and created["AlarmRule"] == rule
        and created["AlarmDescription"] == "service"
    )
    assert created["StateReason"] == f"{created['AlarmArn']} was created and its alarm rule evaluates to OK"
    alarms.set(deploying)
    alarms.set(errors)
    assert alarms.state(service) == "OK"
    alarms.set(deploying, "OK")
    assert alarms.state(service) == alarms.state(above) == "ALARM"
    alarms.set(errors, "OK")
    assert alarms.state(service) == alarms.state(above) == "OK"
    until(lambda: len(queue.messages) == 3)
    bodies = [json.loads(message["Message"]) for message in queue.messages]
    (alarm,) = [body for body in bodies if body["NewStateValue"] == "ALARM"]
    arn = alarms.described(errors)["AlarmArn"]
    assert alarm["AlarmRule"] == rule and "Trigger" not in alarm and alarm["OldStateValue"] == "OK"
    assert [(c["Arn"], c["State"]["Value"]) for c in alarm["TriggeringChildren"]] == [(arn, "ALARM")]
    assert "transitioned to OK" in alarm["NewStateReason"]  # the deployment ended


def test_describe_alarms_finds_parents_and_children(alarms):
    child = alarms.metric()
    parent = alarms.composite(f"OK({child})")
    describe = alarms.client.describe_alarms
    assert describe(AlarmNames=[parent]) | {"ResponseMetadata": 0} == {
        "MetricAlarms": [],
        "CompositeAlarms": [],
        "ResponseMetadata": 0,
    }
    assert [a["AlarmName"] for a in describe(ChildrenOfAlarmName=parent)["MetricAlarms"]] == [child]
    found = describe(ParentsOfAlarmName=child, AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    assert [a["AlarmName"] for a in found] == [parent]
    pages = list(alarms.client.get_paginator("describe_alarms").paginate(PaginationConfig={"PageSize": 1}))
    assert all(len(page["MetricAlarms"]) == 1 for page in pages) and child in {
        page["MetricAlarms"][0]["AlarmName"] for page in pages
    }


def test_children_of_a_composite_alarm_cannot_be_deleted(alarms):
    first, second = alarms.metric(), alarms.metric()
    parent = alarms.composite(f"ALARM({first}) OR ALARM({second})")
    delete = alarms.client.delete_alarms
    expected = rf"ValidationError.*Cannot delete {first},{second} as there are composite alarm\(s\) depending on them"
    with pytest.raises(ClientError, match=expected):
        delete(AlarmNames=[first, second])
    assert alarms.state(first) == "INSUFFICIENT_DATA"
    delete(AlarmNames=[parent])
    delete(AlarmNames=[first, second])


def test_evaluation_of_a_cycle_of_composite_alarms_ends(alarms):
    child = alarms.metric()
    first = alarms.composite(f"ALARM({child})")
    second = alarms.composite(f"ALARM({first})")
    alarms.composite(f"ALARM({child}) AND NOT ALARM({second})", first)
    alarms.set(child)
    assert {alarms.state(first), alarms.state(second)} <= {"ALARM", "OK"}
    alarms.composite("FALSE", first)
    assert alarms.state(first) == alarms.state(second) == "OK"


@pytest.mark.parametrize(
    "rule, settings, message",
    [
        ("ALARM(missing-alarm)", {}, r"as alarms \[missing-alarm\] in the alarm rule do not exist"),
        ("ALARM(", {}, "Invalid AlarmRule"),
        ("TRUE", {"AlarmActions": [STOP]}, "do not take the action"),
        ("TRUE", {"ActionsSuppressor": "other"}, r"NotImplementedException.*ActionsSuppressor"),
    ],
)
def test_put_composite_alarm_refuses_invalid_settings(alarms, rule, settings, message):
    name = unique("refused")
    with pytest.raises(ClientError, match=message):
        alarms.composite(rule, name, **settings)
    assert (
        alarms.client.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        == []
    )
