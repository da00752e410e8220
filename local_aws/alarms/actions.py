"""What an alarm does when its state changes: SNS messages as CloudWatch writes them, and scaling policies."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch.models import Alarm
from moto.sns.models import sns_backends

from local_aws.alarms import evaluation
from local_aws.alarms.data import unix

log = logging.getLogger(__name__)

REGIONS = {"us-east-1": "US East (N. Virginia)", "us-west-2": "US West (Oregon)", "eu-west-1": "EU (Ireland)"}
# Scaling policies act on every evaluation in ALARM, not on the change alone: arguments are the policy's ARN, the
# alarm, and the values that its state rests on. Application Auto Scaling puts itself here.
scaling_policies: list[Callable[[str, str, Alarm, list[float]], None]] = []


def notify(backend: Any, alarm: Alarm, before: str) -> None:
    """Publish a change of state to the alarm's topics, in the background: a subscriber may be slow."""
    if not alarm.actions_enabled:
        return
    wanted = {
        "OK": alarm.ok_actions,
        "ALARM": alarm.alarm_actions,
        "INSUFFICIENT_DATA": alarm.insufficient_data_actions,
    }
    topics = [arn for arn in wanted[alarm.state_value] if arn.split(":")[2] != "autoscaling"]
    if topics and alarm.rule is None:
        message, subject = _message(backend, alarm, before), _subject(backend, alarm)
        threading.Thread(
            target=_publish,
            args=(backend, alarm, topics, message, subject),
            name="alarm-actions",
            daemon=True,
        ).start()


def scale(backend: Any, alarm: Alarm, values: list[float]) -> None:
    """Let the scaling policies of an alarm in state ALARM act."""
    if alarm.state_value != "ALARM" or not alarm.actions_enabled:
        return
    for arn in alarm.alarm_actions:
        if arn.split(":")[2] == "autoscaling":
            for act in scaling_policies:
                act(backend.region_name, arn, alarm, values)


def _publish(backend: Any, alarm: Alarm, topics: list[str], message: str, subject: str) -> None:
    for arn in topics:
        parts = arn.split(":")
        data: dict[str, Any] = {"actionState": "Succeeded", "notificationResource": arn}
        try:
            if parts[2] != "sns":
                raise NotImplementedError(f"the embedded AWS takes no action {arn}")
            sns_backends[parts[4]][parts[3]].publish(message, arn=arn, subject=subject)
            summary = f"Successfully executed action {arn}"
        except Exception as error:  # whatever a topic's subscribers raise is this action's failure
            log.warning("alarm %s: action %s failed: %s", alarm.name, arn, error)
            summary = f"Failed to execute action {arn}. Received error: {str(error)[:200]!r}"
            data |= {"actionState": "Failed", "error": str(error)[:200]}
        backend.note(alarm, "Action", summary, data)


def _subject(backend: Any, alarm: Alarm) -> str:
    region = REGIONS.get(backend.region_name, backend.region_name)
    return f'{alarm.state_value}: "{alarm.name}" in {region}'[:100]


def _message(backend: Any, alarm: Alarm, before: str) -> str:
    trigger: dict[str, Any] = {
        "Period": evaluation.period(alarm),
        "EvaluationPeriods": alarm.evaluation_periods,
        "DatapointsToAlarm": alarm.datapoints_to_alarm,
        "ComparisonOperator": alarm.comparison_operator,
        "Threshold": alarm.threshold,
        "TreatMissingData": alarm.treat_missing_data or "",
        "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
    }
    if alarm.metric_data_queries:
        trigger["Metrics"] = evaluation.metric_queries(alarm)
    else:
        trigger |= {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic" if alarm.statistic else "ExtendedStatistic",
            "Statistic": (alarm.statistic or alarm.extended_statistic or "").upper(),
            "Unit": alarm.unit,
            "Dimensions": [{"value": d.value, "name": d.name} for d in alarm.dimensions],
        }
    moment = alarm.state_updated_timestamp
    return json.dumps(
        {
            "AlarmName": alarm.name,
            "AlarmDescription": alarm.description,
            "AWSAccountId": backend.account_id,
            "AlarmConfigurationUpdatedTimestamp": _iso(alarm.configuration_updated_timestamp),
            "NewStateValue": alarm.state_value,
            "NewStateReason": alarm.state_reason,
            "StateChangeTime": _iso(moment),
            "Region": REGIONS.get(backend.region_name, backend.region_name),
            "AlarmArn": alarm.alarm_arn,
            "OldStateValue": before,
            "OKActions": alarm.ok_actions,
            "AlarmActions": alarm.alarm_actions,
            "InsufficientDataActions": alarm.insufficient_data_actions,
            "Trigger": trigger,
        }
    )


def _iso(moment: Any) -> str:
    return datetime.fromtimestamp(unix(moment), timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
