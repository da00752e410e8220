"""Application Auto Scaling at work: policies act on alarms, schedules and bounds on the clock."""

from __future__ import annotations

import logging
import time
from typing import cast

from moto.applicationautoscaling import models
from moto.cloudwatch.models import Alarm

from embedded_aws.runtime import Runtime
from embedded_aws.services.applicationautoscaling.backend import EmbeddedApplicationAutoscalingBackend
from embedded_aws.services.cloudwatch.actions import ScalingPolicies

log = logging.getLogger(__name__)


class ScalingService(ScalingPolicies):
    """Changes capacity."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def act(self, region: str, policy_arn: str, alarm: Alarm, values: list[float]) -> None:
        backend = models.applicationautoscaling_backends[policy_arn.split(":")[4]][region]
        cast(EmbeddedApplicationAutoscalingBackend, backend).act(policy_arn, alarm, values, time.time())

    def run(self) -> None:
        """Run schedules and enforce bounds every minute of the service, until the embedded AWS stops."""
        minute = 60 / self._runtime.time_scale
        while not self._runtime.stopping.wait(minute - time.time() % minute):
            for regions in list(models.applicationautoscaling_backends.values()):
                for backend in list(regions.values()):
                    try:
                        cast(EmbeddedApplicationAutoscalingBackend, backend).tick(time.time())
                    except Exception:  # one broken target must not stop the scaling of the others
                        log.exception("scaling in %s failed", backend.region_name)
