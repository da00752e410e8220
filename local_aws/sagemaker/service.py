"""One SageMaker backend and one response class, composed of the operations of each part."""

from moto.sagemaker import models, urls
from moto.sagemaker.responses import SageMakerResponse

from local_aws.limits import SageMakerLimits
from local_aws.runtime import Runtime
from local_aws.sagemaker import hosting, workbench
from local_aws.sagemaker.hosting import HostingBackend, HostingOperations
from local_aws.sagemaker.refused import RefusedOperations
from local_aws.sagemaker.registry import RegistryBackend, RegistryOperations
from local_aws.sagemaker.tags import TagOperations, TagStore
from local_aws.sagemaker.training.operations import TrainingOperations
from local_aws.sagemaker.training.runs import TrainingRuns
from local_aws.sagemaker.tuning.operations import TuningJobs, TuningOperations, TuningRuns
from local_aws.sagemaker.workbench import WorkbenchBackend, WorkbenchOperations


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
