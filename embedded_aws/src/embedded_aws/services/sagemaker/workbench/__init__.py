"""SageMaker's places to work in, Studio and notebook instances: a JupyterLab runs behind each, as its role."""

from collections.abc import Callable
from typing import Any

from moto.sagemaker.models import sagemaker_backends

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.workbench.apps import AppOperations, Apps
from embedded_aws.services.sagemaker.workbench.labs import Labs
from embedded_aws.services.sagemaker.workbench.notebooks import NotebookOperations, Notebooks
from embedded_aws.services.sagemaker.workbench.studio import StudioOperations


class WorkbenchBackend(Apps, Notebooks):
    """The records of both."""


class WorkbenchOperations(StudioOperations, AppOperations, NotebookOperations):
    """The operations of both."""


def hooks(runtime: Runtime) -> tuple[Callable[[], None], Callable[[], None]]:
    """What to call at start and at stop: what ran before a restart runs again after it."""
    labs = WorkbenchBackend.labs = Labs(runtime)

    def resume() -> None:
        backends: list[Any] = [b for regions in sagemaker_backends.values() for b in regions.values()]
        for backend in backends:
            backend.resume_notebooks()
            backend.resume_apps()

    return resume, labs.halt


__all__ = ["WorkbenchBackend", "WorkbenchOperations", "hooks"]
