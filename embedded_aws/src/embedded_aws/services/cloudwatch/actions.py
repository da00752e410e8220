"""What an alarm does when its state changes: topics, functions, EC2 instances, and scaling policies."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm
from moto.ec2.models import ec2_backends

from embedded_aws.services.cloudwatch import messages
from embedded_aws.services.events import bus

log = logging.getLogger(__name__)

LAMBDA_PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"
EC2_ACTION = re.compile(r"arn:aws:automate:[\w-]+:ec2:(stop|terminate|reboot|recover)")
# Scaling policies act on every evaluation in ALARM, not on the change alone: arguments are the policy's ARN, the
# alarm, and the values that its state rests on. Application Auto Scaling puts itself here.
scaling_policies: list[Callable[[str, str, Alarm, list[float]], None]] = []


def check(alarm: Alarm) -> None:
    """Raises ValidationError for actions that can never be taken."""
    for arn in {*alarm.alarm_actions, *alarm.ok_actions, *alarm.insufficient_data_actions}:
        if alarm.rule is not None and arn.split(":")[2:3] in (["automate"], ["autoscaling"]):
            raise ValidationError(f"Composite alarms do not take the action {arn}.")
        ec2 = EC2_ACTION.fullmatch(arn)
        if ec2 is None:
            continue
        if _instance(alarm) is None:
            raise ValidationError(
                "Invalid use of EC2 action. An EC2 action can only be used if the alarm is monitoring an EC2 instance."
            )
        if ec2[1] == "recover" and not str(alarm.metric_name).startswith("StatusCheckFailed"):
            raise ValidationError("Invalid use of EC2 'Recover' action")


def notify(backend: Any, alarm: Alarm, before: str) -> None:
    """Tell EventBridge, and take the actions of a change of state; in the background: a subscriber may be slow."""
    detail = messages.detail(alarm)
    bus.emit(
        backend.region_name, "aws.cloudwatch", "CloudWatch Alarm State Change", [alarm.alarm_arn], detail
    )
    if not alarm.actions_enabled:
        return
    wanted = {
        "OK": alarm.ok_actions,
        "ALARM": alarm.alarm_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }
    actions = [arn for arn in wanted[alarm.state_value] if arn.split(":")[2] != "autoscaling"]
    if not actions:
        return
    told = {
        "sns": (messages.message(backend, alarm, before), messages.subject(backend, alarm)),
        "lambda": (json.dumps(messages.lambda_event(backend, alarm)), ""),
    }
    threading.Thread(
        target=_take, args=(backend, alarm, actions, told), name="alarm-actions", daemon=True
    ).start()


def scale(backend: Any, alarm: Alarm, values: list[float]) -> None:
    """Let the scaling policies of an alarm in state ALARM act."""
    if alarm.state_value != "ALARM" or not alarm.actions_enabled:
        return
    for arn in alarm.alarm_actions:
        if arn.split(":")[2] == "autoscaling":
            for act in scaling_policies:
                act(backend.region_name, arn, alarm, values)


def _take(backend: Any, alarm: Alarm, actions: list[str], told: dict[str, tuple[str, str]]) -> None:
    """told: message and subject by service."""
    for arn in actions:
        data: dict[str, Any] = {"actionState": "Succeeded", "notificationResource": arn}
        try:
            _act(alarm, arn, told)
            summary = f"Successfully executed action {arn}"
        except Exception as error:  # whatever a service raises is this action's failure
            reason = getattr(error, "message", None) or str(error)
            log.warning("alarm %s: action %s failed: %s", alarm.name, arn, reason)
            summary = f"Failed to execute action {arn}. Received error: {reason[:200]!r}"
            data |= {"actionState": "Failed", "error": reason[:200]}
        backend.note(alarm, "Action", summary, data)


def _act(alarm: Alarm, arn: str, told: dict[str, tuple[str, str]]) -> None:
    from embedded_aws.services.events import targets

    service = arn.split(":")[2]
    if service == "sns":
        targets.to_topic(arn, *told["sns"])
    elif service == "lambda":
        targets.to_function(arn, LAMBDA_PRINCIPAL, alarm.alarm_arn, told["lambda"][0])
    elif ec2 := EC2_ACTION.fullmatch(arn):
        _change_instance(ec2[1], alarm)
    else:
        raise NotImplementedError(f"the embedded AWS takes no action {arn}")


def _change_instance(verb: str, alarm: Alarm) -> None:
    """As the alarm's account would by the operation: termination protection and Spot's rules hold."""
    if verb == "recover":
        raise NotImplementedError("the embedded AWS has no other hardware to recover an instance on")
    _, _, _, region, account, *_ = alarm.alarm_arn.split(":")
    getattr(ec2_backends[account][region], f"{verb}_instances")([_instance(alarm)])


def _instance(alarm: Alarm) -> str | None:
    """The instance that an alarm watches."""
    return next((d.value for d in alarm.dimensions if d.name == "InstanceId"), None)
