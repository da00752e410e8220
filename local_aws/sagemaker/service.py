"""One SageMaker backend and one response class, composed of the operations of each part."""

from moto.sagemaker import models, urls
from moto.sagemaker.responses import SageMakerResponse

from local_aws.runtime import Runtime
from local_aws.sagemaker.tags import TagOperations, TagStore


class LocalSageMakerBackend(
    TagStore,
    models.SageMakerModelBackend,
):
    """moto's backend; the parts keep their records in attributes of it, so that they are saved with it."""

    _url_module = urls  # moto derives it from __module__ otherwise

    @classmethod
    def start_services(cls, current: Runtime) -> None:
        """Register the start and stop hooks of the parts."""


class LocalSageMakerResponse(
    TagOperations,
    SageMakerResponse,
):
    """moto's responses, with ours in front."""
