"""The SageMaker backend: moto's, with our records of every resource that runs something."""

from moto.sagemaker import urls

from embedded_aws.services.sagemaker.limits import SageMakerLimits
from embedded_aws.services.sagemaker.workbench.apps import AppsBackend
from embedded_aws.services.sagemaker.workbench.notebooks import NotebooksBackend


class EmbeddedSageMakerBackend(SageMakerLimits, AppsBackend, NotebooksBackend):
    """Its attributes hold the records of every part, so that they are saved with moto's."""

    _url_module = urls  # moto would derive it from __module__
