"""Rules with a schedule: fires those that are due, once a minute of the service."""

from __future__ import annotations

import logging
import time
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.events.exceptions import ValidationException
from moto.events.models import events_backends

from embedded_aws.runtime import Runtime
from embedded_aws.services.applicationautoscaling.schedules import Schedule

log = logging.getLogger(__name__)


def check(expression: str) -> None:
    """Raise ValidationException unless an expression is a valid rate() or cron()."""
    try:
        Schedule(expression)
    except AWSValidationException:
        expression = ""
    if not expression.startswith(("rate(", "cron(")):
        raise ValidationException("Parameter ScheduleExpression is not valid.")


def tick(backend: Any, after: float, until: float, time_scale: float) -> None:
    """Fire the rules that are due within (after, until], in Unix times."""
    for rule in list(backend.event_buses["default"].rules.values()):
        if not rule.scheduled_expression or rule.state == "DISABLED":
            continue
        if Schedule(rule.scheduled_expression).due(after, until, rule.since, time_scale):
            rule.fire()


def run(runtime: Runtime) -> None:
    """Fire rules until the embedded AWS stops. Occurrences during a stop are not repeated."""
    minute, last = 60 / runtime.time_scale, time.time()
    while not runtime.stopping.wait(minute - time.time() % minute):
        now = time.time()
        for regions in list(events_backends.values()):
            for backend in list(regions.values()):
                try:
                    tick(backend, last, now, runtime.time_scale)
                except Exception:  # one broken schedule must not stop the others
                    log.exception("schedules in %s failed", backend.region_name)
        last = now
