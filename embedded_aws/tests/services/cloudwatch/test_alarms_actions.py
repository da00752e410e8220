"""What alarms do, and alarms over alarms, on the running server: states are set by hand, so that nothing waits."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from events_kit import ACCOUNT, Queue, Rule, Teller, unique

STOP, REBOOT, TERMINATE, RECOVER = (
    f"arn:aws:automate:us-east-1:ec2:{verb}" for verb in ("stop", "reboot", "terminate", "recover")
)


class Alarms:
    """Makes alarms with names of their own, which keep the state that they are given."""

    def __init__(self, aws):
        self.client = aws.client("cloudwatch")

    def metric(self, **settings) -> str:
        watched = {
            "Namespace": "test",
            "MetricName": "m",
            "Statistic": "Sum",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 5,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "ignore",
        }
        name = unique("alarm")
        self.client.put_metric_alarm(AlarmName=name, **(watched | settings))
        return name

    def composite(self, rule: str, name: str = "", **settings) -> str:
        name = name or unique("composite")
        self.client.put_composite_alarm(AlarmName=name, AlarmRule=rule, **settings)
        return name

    def set(self, name: str, state: str = "ALARM") -> None:
        self.client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="drill")

    def described(self, name: str) -> dict:
        types = ["CompositeAlarm", "MetricAlarm"]
        found = self.client.describe_alarms(AlarmNames=[name], AlarmTypes=types)
        return (found["CompositeAlarms"] + found["MetricAlarms"])[0]

    def state(self, name: str) -> str:
        return self.described(name)["StateValue"]

    def actions(self, name: str) -> list[str]:
        """What the history says of the alarm's actions, latest first."""
        items = self.client.describe_alarm_history(
            AlarmName=name, HistoryItemType="Action", AlarmTypes=["CompositeAlarm", "MetricAlarm"]
        )
        return [item["HistorySummary"] for item in items["AlarmHistoryItems"]]


@pytest.fixture(scope="module")
def alarms(embedded_aws):
    return Alarms(embedded_aws)


def test_a_function_is_told_if_it_allows_the_alarm(embedded_aws, alarms, until):
    teller = Teller(embedded_aws)
    dimensions = [{"Name": "Path", "Value": "/"}]
    name = alarms.metric(AlarmActions=[teller.arn], AlarmDescription="too many", Dimensions=dimensions)
    alarms.set(name)
    (failed,) = until(lambda: alarms.actions(name))
    assert failed.startswith(f"Failed to execute action {teller.arn}")
    assert "lambda.alarms.cloudwatch.amazonaws.com is not authorized" in failed
    arn = alarms.described(name)["AlarmArn"]
    teller.allow("lambda.alarms.cloudwatch.amazonaws.com", arn)
    alarms.set(name, "OK")
    alarms.set(name)
    (event,) = until(lambda: teller.events)
    assert alarms.actions(name)[0] == f"Successfully executed action {teller.arn}"
    assert (event["source"], event["alarmArn"], event["accountId"]) == ("aws.cloudwatch", arn, ACCOUNT)
    told = event["alarmData"]
    assert (told["alarmName"], told["state"]["value"], told["state"]["reason"]) == (name, "ALARM", "drill")
    assert told["previousState"]["value"] == "OK" and told["configuration"]["description"] == "too many"
    (metric,) = told["configuration"]["metrics"]
    assert metric["metricStat"] == {
        "metric": {"namespace": "test", "name": "m", "dimensions": {"Path": "/"}},
        "period": 60,
        "stat": "Sum",
    }


def test_a_change_of_state_is_an_event(embedded_aws, alarms, until):
    queue, name = Queue(embedded_aws), alarms.metric()
    pattern = {"detail-type": ["CloudWatch Alarm State Change"], "detail": {"alarmName": [name]}}
    rule = Rule(embedded_aws, pattern, {"Arn": queue.arn})
    alarms.set(name)
    (event,) = until(lambda: queue.messages)
    rule.delete()
    assert event["source"] == "aws.cloudwatch" and event["resources"] == [alarms.described(name)["AlarmArn"]]
    states = event["detail"]["previousState"]["value"], event["detail"]["state"]["value"]
    assert states == ("INSUFFICIENT_DATA", "ALARM")


def test_instances_are_rebooted_and_terminated(embedded_aws, alarms, until):
    ec2 = embedded_aws.client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["al2023-ami-*"]}])["Images"][0][
        "ImageId"
    ]
    script = "#!/bin/sh\necho first boot"
    (made,) = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=script
    )["Instances"]
    instance = made["InstanceId"]

    def state() -> str:
        (found,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        return found["Instances"][0]["State"]["Name"]

    def console() -> str:
        return ec2.get_console_output(InstanceId=instance).get("Output", "")

    watched = {"Dimensions": [{"Name": "InstanceId", "Value": instance}]}
    check = watched | {"Namespace": "AWS/EC2", "MetricName": "StatusCheckFailed_System"}
    until(lambda: "user data finished" in console())
    reboot, recover = (
        alarms.metric(OKActions=[REBOOT], **watched),
        alarms.metric(AlarmActions=[RECOVER], **check),
    )
    alarms.set(recover)
    alarms.set(reboot, "OK")
    until(lambda: console().count("boots") == 2)
    assert alarms.actions(reboot) == [f"Successfully executed action {REBOOT}"]
    assert alarms.actions(recover)[0].startswith(f"Failed to execute action {RECOVER}")
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": True})
    terminate = alarms.metric(AlarmActions=[TERMINATE], **watched)
    alarms.set(terminate)
    assert "disableApiTermination" in until(lambda: alarms.actions(terminate))[0]
    assert state() == "running"
    ec2.modify_instance_attribute(InstanceId=instance, DisableApiTermination={"Value": False})
    alarms.set(terminate, "OK")
    alarms.set(terminate)
    until(lambda: state() == "terminated")


@pytest.mark.parametrize(
    "settings, message",
    [
        (
            {"AlarmActions": [STOP]},
            "An EC2 action can only be used if the alarm is monitoring an EC2 instance",
        ),
        (
            {"OKActions": [RECOVER], "Dimensions": [{"Name": "InstanceId", "Value": "i-0"}]},
            "'Recover' action",
        ),
    ],
)
def test_ec2_actions_need_an_instance(alarms, settings, message):
    with pytest.raises(ClientError, match=message):
        alarms.metric(**settings)


def test_a_composite_alarm_follows_its_children(embedded_aws, alarms, until):
    queue, sns = Queue(embedded_aws), embedded_aws.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    errors, slow, deploying = alarms.metric(), alarms.metric(), alarms.metric()
    rule = f'(ALARM("{errors}") OR ALARM({slow})) AND NOT ALARM({deploying})'
    told = {"AlarmActions": [topic], "OKActions": [topic], "AlarmDescription": "service"}
    service = alarms.composite(rule, **told)
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


def test_composite_alarms_are_found_by_what_they_are_made_of(alarms):
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


def test_children_stay_while_a_composite_alarm_depends_on_them(alarms):
    first, second = alarms.metric(), alarms.metric()
    parent = alarms.composite(f"ALARM({first}) OR ALARM({second})")
    delete = alarms.client.delete_alarms
    expected = rf"ValidationError.*Cannot delete {first},{second} as there are composite alarm\(s\) depending on them"
    with pytest.raises(ClientError, match=expected):
        delete(AlarmNames=[first, second])
    assert alarms.state(first) == "INSUFFICIENT_DATA"
    delete(AlarmNames=[parent])
    delete(AlarmNames=[first, second])


def test_a_cycle_of_composite_alarms_ends(alarms):
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
def test_composite_alarms_that_cannot_work_are_refused(alarms, rule, settings, message):
    name = unique("refused")
    with pytest.raises(ClientError, match=message):
        alarms.composite(rule, name, **settings)
    assert (
        alarms.client.describe_alarms(AlarmNames=[name], AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
        == []
    )
