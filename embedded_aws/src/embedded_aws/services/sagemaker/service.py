"""One SageMaker backend and one response class, composed of the operations of each part."""

from moto.sagemaker import models, urls
from moto.sagemaker.responses import SageMakerResponse

from embedded_aws.services.sagemaker.hosting import HostingBackend, HostingOperations
from embedded_aws.services.sagemaker.limits import SageMakerLimits
from embedded_aws.services.sagemaker.optional import OptionalOperations
from embedded_aws.services.sagemaker.refused import RefusedOperations
from embedded_aws.services.sagemaker.registry import RegistryBackend, RegistryOperations
from embedded_aws.services.sagemaker.tags import TagOperations, TagStore
from embedded_aws.services.sagemaker.training.operations import TrainingOperations
from embedded_aws.services.sagemaker.tuning.operations import TuningJobs, TuningOperations
from embedded_aws.services.sagemaker.workbench import WorkbenchBackend, WorkbenchOperations


class LocalSageMakerBackend(
    SageMakerLimits,
    TuningJobs,
    HostingBackend,
    RegistryBackend,
    WorkbenchBackend,
    TagStore,
    models.SageMakerModelBackend,
):
    """moto's backend; the parts keep their records in attributes of it, so that they are saved with it."""

    _url_module = urls  # moto derives it from __module__ otherwise


def resume_jobs() -> None:
    """Go on with the jobs that ran when the embedded AWS was stopped."""
    for regions in models.sagemaker_backends.values():
        for backend in regions.values():
            backend.resume_training()  # type: ignore[attr-defined]
            backend.resume_tuning()  # type: ignore[attr-defined]


class LocalSageMakerResponse(
    OptionalOperations,
    TrainingOperations,
    TuningOperations,
    HostingOperations,
    RegistryOperations,
    WorkbenchOperations,
    TagOperations,
    RefusedOperations,
    SageMakerResponse,
):
    """moto's responses, with ours in front."""
