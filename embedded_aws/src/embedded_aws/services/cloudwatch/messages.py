"""CloudWatch's messages about a change of an alarm's state: for SNS topics, functions and EventBridge."""

from __future__ import annotations

import json
from typing import Any

from moto.cloudwatch.models import Alarm

from embedded_aws.services.cloudwatch import evaluation
from embedded_aws.services.cloudwatch.data import iso

REGIONS = {"us-east-1": "US East (N. Virginia)", "us-west-2": "US West (Oregon)", "eu-west-1": "EU (Ireland)"}


def subject(backend: Any, alarm: Alarm) -> str:
    """Return the subject of the SNS message."""
    region = REGIONS.get(backend.region_name, backend.region_name)
    return f'{alarm.state_value}: "{alarm.name}" in {region}'[:100]


def message(backend: Any, alarm: Alarm, before: str) -> str:
    """Return the SNS message. before: the previous state."""
    moment = alarm.state_updated_timestamp
    document: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": backend.account_id,
        "AlarmConfigurationUpdatedTimestamp": iso(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": iso(moment),
        "Region": REGIONS.get(backend.region_name, backend.region_name),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
    }
    if alarm.rule is None:
        document["Trigger"] = _trigger(alarm)
    else:
        triggering = json.loads(alarm.state_reason_data or "{}").get("triggeringAlarms", [])
        document["AlarmRule"] = alarm.rule
        document["TriggeringChildren"] = [
            {"Arn": c["arn"], "State": {"Value": c["state"]["value"], "Timestamp": c["state"]["timestamp"]}}
            for c in triggering
        ]
    return json.dumps(document)


def _trigger(alarm: Alarm) -> dict[str, Any]:
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
    return trigger


def detail(alarm: Alarm) -> dict[str, Any]:
    """Return the detail of the event "CloudWatch Alarm State Change", which is also a function's alarmData."""
    _, reason, reason_data, value, moment = alarm.history[-1]  # the previous state
    return {
        "alarmName": alarm.name,
        "state": _state(
            alarm.state_value, alarm.state_reason, alarm.state_reason_data, alarm.state_updated_timestamp
        ),
        "previousState": _state(value, reason, reason_data, moment),
        "configuration": _configuration(alarm),
    }


def lambda_event(backend: Any, alarm: Alarm) -> dict[str, Any]:
    """Return the event of a function that is an alarm's action."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.alarm_arn,
        "accountId": backend.account_id,
        "time": iso(alarm.state_updated_timestamp),
        "region": backend.region_name,
        "alarmData": detail(alarm),
    }


def _state(value: str, reason: str, reason_data: str | None, moment: Any) -> dict[str, Any]:
    state = {"value": value, "reason": reason, "timestamp": iso(moment)}
    return state | ({"reasonData": reason_data} if reason_data and reason_data != "{}" else {})


def _configuration(alarm: Alarm) -> dict[str, Any]:
    described = {"description": alarm.description} if alarm.description else {}
    if alarm.rule is not None:
        return {**described, "alarmRule": alarm.rule}
    return {**described, "metrics": [_metric(query) for query in evaluation.metric_queries(alarm)]}


def _metric(query: dict[str, Any]) -> dict[str, Any]:
    returned = query.get("ReturnData", True)
    if "Expression" in query:
        return {"id": query["Id"], "expression": query["Expression"], "returnData": returned}
    metric_stat, metric = query["MetricStat"], query["MetricStat"]["Metric"]
    stat: dict[str, Any] = {
        "metric": {
            "namespace": metric["Namespace"],
            "name": metric["MetricName"],
            "dimensions": {d["Name"]: d["Value"] for d in metric["Dimensions"]},
        },
        "period": int(metric_stat["Period"]),
        "stat": metric_stat["Stat"],
    }
    if metric_stat.get("Unit"):
        stat["unit"] = metric_stat["Unit"]
    return {"id": query["Id"], "metricStat": stat, "returnData": returned}
