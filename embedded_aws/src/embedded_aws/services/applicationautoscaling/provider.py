"""Puts Application Auto Scaling in moto's place."""

from __future__ import annotations

import threading

from moto.applicationautoscaling import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.applicationautoscaling.backend import EmbeddedApplicationAutoscalingBackend
from embedded_aws.services.applicationautoscaling.provisioned_concurrency import ChangesInProgress
from embedded_aws.services.applicationautoscaling.responses import EmbeddedApplicationAutoScalingResponse
from embedded_aws.services.applicationautoscaling.service import ScalingService
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    """Return the changes to moto's Application Auto Scaling."""
    service = ScalingService(runtime)
    runtime.add(service)
    runtime.add(ChangesInProgress())

    def start() -> None:
        threading.Thread(target=service.run, name="scaling", daemon=True).start()

    return Provider(
        backends=[(models.applicationautoscaling_backends, EmbeddedApplicationAutoscalingBackend)],
        routes=[
            Routes(table=urls.url_paths, paths=["{0}/$"], responses=EmbeddedApplicationAutoScalingResponse)
        ],
        on_start=[start],
    )
