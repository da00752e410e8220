"""Hosting: models, endpoint configurations, and endpoints whose instances are processes."""

import shutil
import threading
from functools import partial
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.hosting.endpoint_configs import EndpointConfigOperations
from embedded_aws.services.sagemaker.hosting.endpoints import EndpointOperations, EndpointsBackend
from embedded_aws.services.sagemaker.hosting.models import ModelOperations


class HostingBackend(EndpointsBackend):
    """Models, configurations and endpoints, on the registry and the tag store."""


class HostingOperations(ModelOperations, EndpointConfigOperations, EndpointOperations):
    """Operations on models, configurations and endpoints."""


def install(current: Runtime) -> None:
    """Endpoints come back after a restart; their scaling, and the alarms that drive it, are ours."""
    from embedded_aws.services import applicationautoscaling as scaling
    from embedded_aws.services import cloudwatch as alarms
    from embedded_aws.services.sagemaker import invocations
    from embedded_aws.services.sagemaker.hosting.capture import captures
    from embedded_aws.services.sagemaker.hosting.telemetry import Telemetry

    alarms.install(current)
    scaling.install()
    invocations.install()

    def recover() -> None:
        backends: list[Any] = [b for regions in list(sagemaker_backends.values()) for b in regions.values()]
        kept = {deployment for backend in backends for deployment in backend.deployment_ids()}
        for folder in current.folder("endpoints").iterdir():  # what a crash left behind
            if folder.name not in kept:
                shutil.rmtree(folder)
        for backend in backends:
            backend.recover_endpoints()
        for name, work in (
            ("scaling", partial(scaling.run, current)),
            ("telemetry", Telemetry(current).run),
            ("capture", captures.run),
        ):
            threading.Thread(target=work, name=name, daemon=True).start()

    current.on_start.append(recover)
    current.on_stop.append(captures.flush)


__all__ = ["HostingBackend", "HostingOperations", "install"]
