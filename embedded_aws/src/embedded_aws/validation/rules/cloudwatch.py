"""Rules of CloudWatch. Alarms that cannot be evaluated are refused by `services.cloudwatch`."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from embedded_aws.iam.request import Call
from embedded_aws.validation.table import Rule, one_of, pattern

API = "Amazon CloudWatch API Reference, "
MISSING_DATA = ("breaching", "notBreaching", "ignore", "missing")
ACTIONS = re.compile(
    r"arn:aws:(sns|lambda|autoscaling|automate|ssm|ssm-incidents|swf|aiops):[a-z0-9-]*:[^:]*:.+", re.ASCII
)
WIDGETS = {"metric", "text", "log", "alarm", "explorer", "custom", "chart"}
LARGEST, MAX_DATA, MAX_VALUES = 2.0**360, 1000, 150
OLDEST, NEWEST = timedelta(days=14), timedelta(hours=2)
_ALL_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")
_ALARMS = ("PutMetricAlarm", "PutCompositeAlarm")


def _actions(call: Call) -> str | None:
    for member in _ALL_ACTIONS:
        for arn in call.parameter(member) or ():
            if not ACTIONS.fullmatch(arn):
                return f"Invalid arn syntax: {arn}"
            region = arn.split(":")[3]
            if arn.startswith("arn:aws:sns:") and region != call.region:
                return f"Invalid region {region} specified. Only {call.region} is supported."
    return None


def _one_metric(call: Call) -> str | None:
    single = [
        name
        for name in ("MetricName", "Namespace", "Statistic", "Period", "Dimensions")
        if call.parameter(name)
    ]
    if call.parameter("Metrics"):
        return f"{single[0]} must not be set if list of Metrics is set." if single else None
    missing = [name for name in ("MetricName", "Namespace", "Period") if call.parameter(name) is None]
    return f"The parameter {missing[0]} is required." if missing else None


def _metric_ids(call: Call) -> str | None:
    for query in [*(call.parameter("Metrics") or ()), *(call.parameter("MetricDataQueries") or ())]:
        if not re.fullmatch(r"[a-z][a-zA-Z0-9_]*", query["Id"]):
            return (
                f"The value for field Id {query['Id']} must start with a lower case letter and contain only letters, "
                "numbers and underscores."
            )
    return None


def _data(call: Call) -> list[dict[str, Any]]:
    return call.parameter("MetricData") or []


def _values(datum: dict[str, Any]) -> list[float]:
    statistics = datum.get("StatisticValues") or {}
    return (
        [datum["Value"]]
        if datum.get("Value") is not None
        else [*(datum.get("Values") or ()), *statistics.values()]
    )


def _no_value(call: Call) -> str | None:
    for number, datum in enumerate(_data(call), 1):
        if not _values(datum):
            return (
                "At least one of the parameters must be specified: "
                f"MetricData.member.{number}.Value, MetricData.member.{number}.StatisticValues"
            )
    return None


def _value(call: Call) -> str | None:
    for number, datum in enumerate(_data(call), 1):
        for value in _values(datum):
            if not -LARGEST <= value <= LARGEST:  # also refuses NaN
                return f"The value {value} for parameter MetricData.member.{number}.Value is invalid."
    return None


def _resolution(call: Call) -> str | None:
    for number, datum in enumerate(_data(call), 1):
        if datum.get("StorageResolution") not in (None, 1, 60):
            return (
                f"The parameter MetricData.member.{number}.StorageResolution must be 1 or 60, "
                f"not {datum['StorageResolution']}."
            )
    return None


def _time(call: Call) -> str | None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    for number, datum in enumerate(_data(call), 1):
        time = datum.get("Timestamp")
        if isinstance(time, datetime) and not now - OLDEST <= time.replace(tzinfo=None) <= now + NEWEST:
            return (
                f"The parameter MetricData.member.{number}.Timestamp must specify a time no more than two weeks in the "
                "past and no more than two hours in the future."
            )
    return None


def _too_much(call: Call) -> str | None:
    if len(_data(call)) > MAX_DATA:
        return f"The collection MetricData must not have a size greater than {MAX_DATA}."
    if any(len(datum.get("Values") or ()) > MAX_VALUES for datum in _data(call)):
        return f"The collection MetricData.Values must not have a size greater than {MAX_VALUES}."
    return None


def _period(call: Call) -> str | None:
    period = call.parameters["Period"]
    if period in (1, 5, 10, 20, 30) or (period >= 60 and period % 60 == 0):
        return None
    return "The parameter Period must be 1, 5, 10, 20, 30, or any multiple of 60."


def _dashboard(call: Call) -> str | None:
    try:
        body = json.loads(call.parameters["DashboardBody"])
    except ValueError:
        return None  # moto refuses it
    if not isinstance(body, dict) or not isinstance(body.get("widgets"), list):
        return "The dashboard body is invalid: it should have required property 'widgets'"
    for number, widget in enumerate(body["widgets"]):
        if not isinstance(widget, dict) or widget.get("type") not in WIDGETS or "properties" not in widget:
            return (
                f"The dashboard body is invalid: /widgets/{number} should have 'properties' and one of the types "
                f"{', '.join(sorted(WIDGETS))}"
            )
    return None


_PUT_DATA = ("PutMetricData",)
_VALIDATION = ("ValidationException", "ValidationError")
_VALUE = ("InvalidParameterValueException", "InvalidParameterValue")
_COMBINATION = ("InvalidParameterCombinationException", "InvalidParameterCombination")


def _rule(operations: tuple[str, ...], test: Any, codes: tuple[str, str], page: str) -> Rule:
    return Rule(operations, test, codes[0], API + page, query_code=codes[1])


RULES: tuple[Rule, ...] = (
    _rule(("PutMetricAlarm",), _one_metric, _VALIDATION, "PutMetricAlarm"),
    _rule(("PutMetricAlarm", "GetMetricData"), _metric_ids, _VALIDATION, "MetricDataQuery: Id"),
    _rule(
        ("PutMetricAlarm",),
        one_of(
            "TreatMissingData",
            MISSING_DATA,
            "Option {value} is not supported for parameter TreatMissingData.",
        ),
        _VALIDATION,
        "PutMetricAlarm: TreatMissingData",
    ),
    _rule(_ALARMS, _actions, _VALIDATION, "PutMetricAlarm: AlarmActions"),
    _rule(
        _PUT_DATA,
        pattern("Namespace", r"(?!AWS/).+", "The value {value} for parameter Namespace is invalid."),
        _VALUE,
        "PutMetricData: Namespace",
    ),
    _rule(_PUT_DATA, _no_value, ("MissingRequiredParameterException", "MissingParameter"), "PutMetricData"),
    _rule(_PUT_DATA, _value, _VALUE, "MetricDatum: Value"),
    _rule(_PUT_DATA, _resolution, _VALUE, "MetricDatum: StorageResolution"),
    _rule(_PUT_DATA, _time, _VALUE, "MetricDatum: Timestamp"),
    _rule(_PUT_DATA, _too_much, _VALIDATION, "PutMetricData: MetricData"),
    _rule(("GetMetricStatistics",), _period, _VALUE, "GetMetricStatistics: Period"),
    _rule(
        ("PutDashboard",),
        pattern(
            "DashboardName",
            r"[A-Za-z0-9_-]{1,255}",
            "The value {value} for field DashboardName contains invalid characters.",
        ),
        ("DashboardInvalidInputError", "InvalidParameterInput"),
        "PutDashboard: DashboardName",
    ),
    _rule(
        ("PutDashboard",),
        _dashboard,
        ("DashboardInvalidInputError", "InvalidParameterInput"),
        "Dashboard body structure",
    ),
)
