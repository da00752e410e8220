"""Evaluates the alarms of all regions once a minute of the service."""

from __future__ import annotations

import logging
import time
from typing import Any

from moto.cloudwatch.models import cloudwatch_backends

from embedded_aws.runtime import Runtime
from embedded_aws.services.cloudwatch import actions, evaluation

log = logging.getLogger(__name__)

HIGH_RESOLUTION = 10  # seconds between evaluations of alarms whose period is below a minute


def evaluate(backend: Any, now: float, high_resolution: bool) -> None:
    """Evaluate the metric alarms of a region at Unix time `now`, and run their actions.

    high_resolution: evaluate only the alarms with periods below a minute.
    """
    time_scale = backend.runtime.time_scale
    for alarm in list(backend.alarms.values()):
        if alarm.rule is not None or (high_resolution and evaluation.period(alarm) >= 60):
            continue
        try:
            step = min(evaluation.period(alarm), 60) / time_scale
            state, reason, values = evaluation.evaluate(backend, alarm, now // step * step, time_scale)
        except Exception:  # one broken alarm must not stop the evaluation of the others
            log.exception("alarm %s could not be evaluated", alarm.name)
            continue
        if backend.alarms.get(alarm.name) is not alarm:
            continue  # it was deleted or replaced during the evaluation
        if state != alarm.state_value:
            before = alarm.state_value
            alarm.update_state(reason, "{}", state)
            backend.changed_state(alarm, before)
            backend.runtime.changed()
        actions.scale(backend, alarm, values)


def run(runtime: Runtime) -> None:
    """Evaluate the alarms until the embedded AWS stops."""
    tick = HIGH_RESOLUTION / runtime.time_scale
    minute = 60 / runtime.time_scale
    last = int(time.time() // minute)
    while True:
        now = time.time()
        # Shortly after the start of a period, so that the data of the last one is complete.
        if runtime.stopping.wait(tick - now % tick + min(0.05, tick / 10)):
            return
        now = time.time()
        number = int(now // minute)
        is_whole_minute, last = number != last, number
        for regions in list(cloudwatch_backends.values()):
            for backend in list(regions.values()):
                if backend.alarms:
                    evaluate(backend, now, not is_whole_minute)
