"""SageMaker's places to work in: Studio and notebook instances, recorded; nothing of them runs."""

from local_aws.sagemaker.workbench.notebooks import NotebookOperations, Notebooks
from local_aws.sagemaker.workbench.studio import Studio, StudioOperations


class WorkbenchBackend(Studio, Notebooks):
    """The records of both."""


class WorkbenchOperations(StudioOperations, NotebookOperations):
    """The operations of both."""


__all__ = ["WorkbenchBackend", "WorkbenchOperations"]
