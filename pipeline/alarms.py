"""The alarms of an endpoint and its function that are in ALARM."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from ops.aws import is_denied
from ops.environment import Environment
from ops.text import clause


@dataclass(frozen=True)
class Alarm:
    """An alarm that is in ALARM. reason: CloudWatch's, with the values."""

    name: str
    reason: str

    @property
    def text(self) -> str:
        """A clause about it."""
        return f"the alarm {self.name} is in ALARM ({clause(self.reason, 200)})"


def ringing(env: Environment, endpoint: str) -> list[Alarm]:
    """Return the alarms of an endpoint and its function that are in ALARM; none if the caller may not read alarms."""
    deployed = env.outputs.find_serving(endpoint)
    names = [f"{endpoint}-5xx", f"{endpoint}-latency"]
    if deployed and deployed.function_name:
        names += [f"{deployed.function_name}-{what}" for what in ("errors", "latency", "throttles")]
    return of_names(env, names)


def of_names(env: Environment, names: list[str]) -> list[Alarm]:
    """Return which of these alarms are in ALARM; none if the caller may not read alarms."""
    try:
        answer = env.client("cloudwatch").describe_alarms(AlarmNames=names, AlarmTypes=["MetricAlarm"])
    except ClientError as error:
        if not is_denied(error):
            raise
        return []
    return [
        Alarm(alarm["AlarmName"], alarm.get("StateReason") or "no reason given")
        for alarm in answer["MetricAlarms"]
        if alarm["StateValue"] == "ALARM"
    ]
