"""One SageMaker backend and one response class, composed of the operations of each part."""

from moto.sagemaker import models, urls
from moto.sagemaker.responses import SageMakerResponse

from embedded_aws.runtime import Runtime
from embedded_aws.server.limits import SageMakerLimits
from embedded_aws.services.sagemaker import hosting, workbench
from embedded_aws.services.sagemaker.hosting import HostingBackend, HostingOperations
from embedded_aws.services.sagemaker.refused import RefusedOperations
from embedded_aws.services.sagemaker.registry import RegistryBackend, RegistryOperations
from embedded_aws.services.sagemaker.tags import TagOperations, TagStore
from embedded_aws.services.sagemaker.training.operations import TrainingOperations
from embedded_aws.services.sagemaker.training.runs import TrainingRuns
from embedded_aws.services.sagemaker.tuning.operations import TuningJobs, TuningOperations, TuningRuns
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

    @classmethod
    def start_services(cls, current: Runtime) -> None:
        """Register the start and stop hooks of the parts."""
        hosting.install(current)
        workbench.install(current)
        cls.training_runs, cls.tuning_runs = TrainingRuns(current), TuningRuns(current)
        current.on_start.append(cls._resume_jobs)
        current.on_stop += [cls.tuning_runs.halt, cls.training_runs.halt]

    @classmethod
    def _resume_jobs(cls) -> None:
        for regions in models.sagemaker_backends.values():
            for backend in regions.values():
                backend.resume_training()
                backend.resume_tuning()


class LocalSageMakerResponse(
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
