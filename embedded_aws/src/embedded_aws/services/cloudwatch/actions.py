"""Alarm actions: SNS topics, functions, EC2 instances and scaling policies."""

from __future__ import annotations

import json
import logging
import re
import threading
from abc import ABC, abstractmethod
from typing import Any

from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm
from moto.ec2.models import ec2_backends

from embedded_aws.services.cloudwatch import messages
from embedded_aws.services.events import bus, targets

log = logging.getLogger(__name__)

Messages = dict[str, tuple[str, str]]  # by service: message and subject

LAMBDA_PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"
EC2_ACTION = re.compile(r"arn:aws:automate:[\w-]+:ec2:(stop|terminate|reboot|recover)")


class ScalingPolicies(ABC):
    """Application Auto Scaling's policies. `runtime.get(ScalingPolicies)` returns the running ones."""

    @abstractmethod
    def act(self, region: str, policy_arn: str, alarm: Alarm, values: list[float]) -> None:
        """Apply a policy whose alarm is in ALARM. values: those that the alarm has evaluated, oldest first."""


def check(alarm: Alarm) -> None:
    """Raise ValidationError for an action that cannot work."""
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
    """Send EventBridge a change of state and run its actions in the background, since a subscriber may be slow."""
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
    messages_by_service = {
        "sns": (messages.message(backend, alarm, before), messages.subject(backend, alarm)),
        "lambda": (json.dumps(messages.lambda_event(backend, alarm)), ""),
    }
    threading.Thread(
        target=_run, args=(backend, alarm, actions, messages_by_service), name="alarm-actions", daemon=True
    ).start()


def scale(backend: Any, alarm: Alarm, values: list[float]) -> None:
    """Apply the scaling policies of an alarm that is in ALARM: after every evaluation, not only after a change."""
    if alarm.state_value != "ALARM" or not alarm.actions_enabled:
        return
    for arn in alarm.alarm_actions:
        if arn.split(":")[2] == "autoscaling":
            backend.runtime.get(ScalingPolicies).act(backend.region_name, arn, alarm, values)


def _run(backend: Any, alarm: Alarm, actions: list[str], messages_by_service: Messages) -> None:
    for arn in actions:
        data: dict[str, Any] = {"actionState": "Succeeded", "notificationResource": arn}
        try:
            _act(alarm, arn, messages_by_service)
            summary = f"Successfully executed action {arn}"
        except Exception as error:  # any error of a service fails this action only
            reason = getattr(error, "message", None) or str(error)
            log.warning("alarm %s: action %s failed: %s", alarm.name, arn, reason)
            summary = f"Failed to execute action {arn}. Received error: {reason[:200]!r}"
            data |= {"actionState": "Failed", "error": reason[:200]}
        backend.note(alarm, "Action", summary, data)


def _act(alarm: Alarm, arn: str, messages_by_service: Messages) -> None:
    service = arn.split(":")[2]
    if service == "sns":
        targets.to_topic(arn, *messages_by_service["sns"])
    elif service == "lambda":
        targets.to_function(arn, LAMBDA_PRINCIPAL, alarm.alarm_arn, messages_by_service["lambda"][0])
    elif ec2 := EC2_ACTION.fullmatch(arn):
        _change_instance(ec2[1], alarm)
    else:
        raise NotImplementedError(f"the embedded AWS does not support the action {arn}")


def _change_instance(verb: str, alarm: Alarm) -> None:
    """Run the EC2 operation. Termination protection and the rules of Spot Instances apply."""
    if verb == "recover":
        raise NotImplementedError("the embedded AWS does not recover instances: it has no other hardware")
    _, _, _, region, account, *_ = alarm.alarm_arn.split(":")
    getattr(ec2_backends[account][region], f"{verb}_instances")([_instance(alarm)])


def _instance(alarm: Alarm) -> str | None:
    """Return the ID of the instance that an alarm monitors."""
    return next((d.value for d in alarm.dimensions if d.name == "InstanceId"), None)
