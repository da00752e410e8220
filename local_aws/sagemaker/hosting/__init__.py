"""Hosting: models, endpoint configurations, and endpoints whose instances are processes."""

import shutil
import threading

from moto.sagemaker.models import sagemaker_backends

from local_aws.runtime import Runtime
from local_aws.sagemaker.hosting.endpoint_configs import EndpointConfigOperations, EndpointConfigsBackend
from local_aws.sagemaker.hosting.endpoints import EndpointOperations, EndpointsBackend
from local_aws.sagemaker.hosting.models import ModelOperations, ModelsBackend


class HostingBackend(ModelsBackend, EndpointConfigsBackend, EndpointsBackend):
    """Backend mixin: needs the tag store and the registry beside it."""


class HostingOperations(ModelOperations, EndpointConfigOperations, EndpointOperations):
    """Response mixin."""


def install(current: Runtime) -> None:
    """Endpoints come back after a restart; their scaling is ours."""
    from local_aws import scaling
    from local_aws.sagemaker import invocations

    scaling.install()
    invocations.install()

    def recover() -> None:
        backends = [backend for regions in list(sagemaker_backends.values()) for backend in regions.values()]
        kept = {deployment for backend in backends for deployment in backend.deployment_ids()}
        for folder in current.folder("endpoints").iterdir():  # what a crash left behind
            if folder.name not in kept:
                shutil.rmtree(folder)
        for backend in backends:
            backend.recover_endpoints()
        threading.Thread(target=scaling.run, args=(current,), name="scaling", daemon=True).start()

    current.on_start.append(recover)


__all__ = ["HostingBackend", "HostingOperations", "install"]
