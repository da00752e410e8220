"""Application Auto Scaling in moto's place."""

from __future__ import annotations

import threading

from moto.applicationautoscaling import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.applicationautoscaling import backend
from embedded_aws.services.applicationautoscaling.responses import EmbeddedApplicationAutoScalingResponse
from embedded_aws.services.cloudwatch import actions
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    actions.scaling_policies.append(backend.act)

    def start() -> None:
        threading.Thread(target=backend.run, args=(runtime,), name="scaling", daemon=True).start()

    return Provider(
        backends=[(models.applicationautoscaling_backends, backend.EmbeddedApplicationAutoscalingBackend)],
        routes=[
            Routes(table=urls.url_paths, paths=["{0}/$"], responses=EmbeddedApplicationAutoScalingResponse)
        ],
        on_start=[start],
    )
