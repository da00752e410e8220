"""EventBridge's records: moto's backend, whose rules deliver to functions, topics, queues and log groups."""

from __future__ import annotations

import json
import logging
import time
from datetime import datetime, timezone
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.utils import utcnow
from moto.events import urls
from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule, events_backends

from embedded_aws.runtime import Runtime
from embedded_aws.services.events import schedules, targets, transform
from embedded_aws.services.events.bus import new_event
from embedded_aws.services.events.delivery import Delivery

log = logging.getLogger(__name__)

PRINCIPAL = "events.amazonaws.com"
SERVICES = ("lambda", "sns", "sqs", "logs")
FORGED = {
    "ErrorCode": "NotAuthorizedForSourceException",
    "ErrorMessage": "Not authorized for the source.",
}


class EmbeddedRule(Rule):
    """moto's rule. moto's own delivers to few targets, during the request that put the event."""

    since = 0.0
    """Unix time of PutRule, from which the rate of a schedule counts."""

    def send_to_targets(self, original_event: Any, transform_input: bool = True) -> None:
        """Deliver a copy of an event in the background, if the rule's pattern matches it."""
        if original_event["source"] == "aws.s3":
            return  # moto invents the details of these events
        event = json.loads(json.dumps(original_event, default=str))
        self._delivery.submit(self._match, event)

    @property
    def _delivery(self) -> Delivery:
        backend: Any = events_backends[self.account_id][self.region_name]
        return backend.runtime.get(Delivery)  # type: ignore[no-any-return]

    def _match(self, event: dict[str, Any]) -> None:
        if self.state == "DISABLED" or not self.event_pattern.get_pattern():
            return
        event.pop("ingestion-time", None)  # an addition of moto's
        if not isinstance(event["time"], str):
            moment = datetime.fromtimestamp(event["time"], timezone.utc)
            event["time"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.event_pattern.matches_event(event):  # type: ignore[arg-type]
            self._deliver_to_targets(event)

    def fire(self) -> None:
        """Deliver the event of a schedule that is due."""
        event = new_event(self.region_name, "aws.events", "Scheduled Event", [self.arn], {})
        self._delivery.submit(self._deliver_to_targets, event)

    def _deliver_to_targets(self, event: dict[str, Any]) -> None:
        for target in list(self.targets):
            self._deliver(target, event)

    def _deliver(self, target: dict[str, Any], event: dict[str, Any]) -> None:
        """Send an event once; AWS retries for a day. A failure is counted, logged, and sent to the dead-letter queue."""
        failure = None
        try:
            self._send(target, transform.payload(target, event, self.name, self.arn))
        except Exception as error:  # any error of the target's service
            failure = error
            log.warning("rule %s: target %s: %s", self.name, target["Arn"], error)
        metrics = ["Invocations", *(["FailedInvocations"] if failure else [])]
        cloudwatch_backends[self.account_id][self.region_name].put_metric_data(
            "AWS/Events",
            [
                {
                    "MetricName": name,
                    "Dimensions": [{"Name": "RuleName", "Value": self.name}],
                    "Value": 1.0,
                    "Unit": "Count",
                    "Timestamp": utcnow(),
                }
                for name in metrics
            ],
        )
        if failure and (queue := (target.get("DeadLetterConfig") or {}).get("Arn")):
            attributes = {
                "RULE_ARN": self.arn,
                "TARGET_ARN": target["Arn"],
                "ERROR_CODE": type(failure).__name__,
                "ERROR_MESSAGE": str(failure)[:1024] or "unknown",
            }
            targets.to_queue(queue, json.dumps(event), attributes=attributes)

    def _send(self, target: dict[str, Any], body: str) -> None:
        arn = target["Arn"]
        service = arn.split(":")[2]
        if service == "lambda":
            targets.to_function(arn, PRINCIPAL, self.arn, body)
        elif service == "sns":
            targets.to_topic(arn, body)
        elif service == "sqs":
            targets.to_queue(arn, body, (target.get("SqsParameters") or {}).get("MessageGroupId"))
        else:
            targets.to_log_group(arn, body)


class EmbeddedEventsBackend(EventsBackend):
    """moto's backend. It refuses what moto would record without effect."""

    runtime: Runtime
    _url_module = urls  # moto derives it from __module__ otherwise

    def put_rule(self, *args: Any, **settings: Any) -> Rule:
        if expression := settings.get("scheduled_expression"):
            schedules.check(expression)
        rule = super().put_rule(*args, **settings)
        rule.since = time.time()  # type: ignore[attr-defined]
        return rule

    def put_events(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Put events, except those with the source of an AWS service, which AWS refuses."""
        allowed = [event for event in events if not str(event.get("Source")).startswith("aws.")]
        entries = iter(super().put_events(allowed))
        return [next(entries) if event in allowed else dict(FORGED) for event in events]

    def put_targets(self, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        for target in targets:
            service = (target["Arn"].split(":") + [""] * 3)[2]
            if service not in SERVICES:
                raise NotImplementedError(
                    f"PutTargets with {target['Arn']}: use a target of {', '.join(SERVICES)}"
                )
            if mistake := transform.check(target):
                raise ValidationException(mistake)
        super().put_targets(name, event_bus_arn, targets)
