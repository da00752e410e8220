"""Hosting: models, endpoint configurations, and endpoints whose instances are processes."""

import shutil
import threading
from collections.abc import Callable
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


def hooks(runtime: Runtime) -> tuple[Callable[[], None], Callable[[], None]]:
    """What to call at start and at stop: endpoints come back after a restart."""
    from embedded_aws.services.sagemaker.hosting.capture import captures
    from embedded_aws.services.sagemaker.hosting.telemetry import Telemetry

    def recover() -> None:
        backends: list[Any] = [b for regions in list(sagemaker_backends.values()) for b in regions.values()]
        kept = {deployment for backend in backends for deployment in backend.deployment_ids()}
        for folder in runtime.folder("endpoints").iterdir():  # what a crash left behind
            if folder.name not in kept:
                shutil.rmtree(folder)
        for backend in backends:
            backend.recover_endpoints()
        for name, work in (
            ("telemetry", Telemetry(runtime).run),
            ("capture", captures.run),
        ):
            threading.Thread(target=work, name=name, daemon=True).start()

    return recover, captures.flush


__all__ = ["HostingBackend", "HostingOperations", "hooks"]
