"""Actions of alarms on the running embedded AWS. SetAlarmState triggers them at once."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from alarms_kit import Alarms
from events_kit import ACCOUNT, Queue, RecordingFunction, Rule

STOP, REBOOT, TERMINATE, RECOVER = (
    f"arn:aws:automate:us-east-1:ec2:{verb}" for verb in ("stop", "reboot", "terminate", "recover")
)


@pytest.fixture(scope="module")
def alarms(embedded_aws):
    return Alarms(embedded_aws)


def test_alarm_invokes_a_function_that_allows_it(embedded_aws, alarms, until):
    recorder = RecordingFunction(embedded_aws)
    dimensions = [{"Name": "Path", "Value": "/"}]
    name = alarms.metric(AlarmActions=[recorder.arn], AlarmDescription="too many", Dimensions=dimensions)
    alarms.set(name)
    (failed,) = until(lambda: alarms.actions(name))
    assert failed.startswith(f"Failed to execute action {recorder.arn}")
    assert "lambda.alarms.cloudwatch.amazonaws.com is not authorized" in failed
    arn = alarms.described(name)["AlarmArn"]
    recorder.allow("lambda.alarms.cloudwatch.amazonaws.com", arn)
    alarms.set(name, "OK")
    alarms.set(name)
    (event,) = until(lambda: recorder.events)
    assert alarms.actions(name)[0] == f"Successfully executed action {recorder.arn}"
    assert (event["source"], event["alarmArn"], event["accountId"]) == ("aws.cloudwatch", arn, ACCOUNT)
    data = event["alarmData"]
    assert (data["alarmName"], data["state"]["value"], data["state"]["reason"]) == (name, "ALARM", "drill")
    assert data["previousState"]["value"] == "OK" and data["configuration"]["description"] == "too many"
    (metric,) = data["configuration"]["metrics"]
    assert metric["metricStat"] == {
        "metric": {"namespace": "test", "name": "m", "dimensions": {"Path": "/"}},
        "period": 60,
        "stat": "Sum",
    }


def test_change_of_state_is_sent_to_eventbridge(embedded_aws, alarms, until):
    queue, name = Queue(embedded_aws), alarms.metric()
    pattern = {"detail-type": ["CloudWatch Alarm State Change"], "detail": {"alarmName": [name]}}
    rule = Rule(embedded_aws, pattern, {"Arn": queue.arn})
    alarms.set(name)
    (event,) = until(lambda: queue.messages)
    rule.delete()
    assert event["source"] == "aws.cloudwatch" and event["resources"] == [alarms.described(name)["AlarmArn"]]
    states = event["detail"]["previousState"]["value"], event["detail"]["state"]["value"]
    assert states == ("INSUFFICIENT_DATA", "ALARM")


def test_alarms_reboot_and_terminate_instances(embedded_aws, alarms, until):
    ec2 = embedded_aws.client("ec2")
    image = ec2.describe_images(Filters=[{"Name": "name", "Values": ["al2023-ami-*"]}])["Images"][0][
        "ImageId"
    ]
    script = "#!/bin/sh\necho first boot"
    (created,) = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=script
    )["Instances"]
    instance = created["InstanceId"]

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
def test_ec2_actions_need_a_metric_of_an_instance(alarms, settings, message):
    with pytest.raises(ClientError, match=message):
        alarms.metric(**settings)
