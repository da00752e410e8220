"""The thread that evaluates alarms, once a minute of the service; it sleeps while there are none."""

from __future__ import annotations

import logging
import time
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from embedded_aws import runtime
from embedded_aws.services.cloudwatch import actions, evaluation

log = logging.getLogger(__name__)

HIGH_RESOLUTION = 10  # seconds between evaluations of alarms whose period is below a minute


def evaluate(backend: Any, now: float, time_scale: float, high_resolution: bool) -> None:
    """Bring the metric alarms of a region to their states at Unix time `now`, and act.

    high_resolution: only the alarms with periods below a minute.
    """
    for alarm in list(backend.alarms.values()):
        if alarm.rule is not None or (high_resolution and evaluation.period(alarm) >= 60):
            continue
        try:
            step = min(evaluation.period(alarm), 60) / time_scale
            state, reason, values = evaluation.evaluate(backend, alarm, now // step * step, time_scale)
        except Exception:  # one alarm that cannot be evaluated must not end the others
            log.exception("alarm %s could not be evaluated", alarm.name)
            continue
        if backend.alarms.get(alarm.name) is not alarm:
            continue  # deleted or replaced meanwhile
        if state != alarm.state_value:
            before = alarm.state_value
            alarm.update_state(reason, "{}", state)
            backend.changed_state(alarm, before)
            runtime.current().changed()
        actions.scale(backend, alarm, values)


def run(current: runtime.Runtime) -> None:
    """Until the embedded AWS stops."""
    tick = HIGH_RESOLUTION / current.time_scale
    minute = 60 / current.time_scale
    last = int(time.time() // minute)
    while True:
        now = time.time()
        # A little into the period, so that what was recorded at the end of the last one is there.
        if current.stopping.wait(tick - now % tick + min(0.05, tick / 10)):
            return
        now = time.time()
        number = int(now // minute)
        whole, last = number != last, number
        for regions in list(cloudwatch_backends.values()):
            for backend in list(regions.values()):
                if backend.alarms:
                    evaluate(backend, now, current.time_scale, not whole)
