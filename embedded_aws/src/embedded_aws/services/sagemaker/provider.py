"""Amazon SageMaker in moto's place."""

from __future__ import annotations

from moto.sagemaker import models, urls
from moto.sagemakerruntime import urls as runtime_urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider, Routes
from embedded_aws.services.sagemaker import hosting, service, workbench
from embedded_aws.services.sagemaker.invocations import STREAM_PATH, LocalSageMakerRuntimeResponse
from embedded_aws.services.sagemaker.service import LocalSageMakerBackend, LocalSageMakerResponse
from embedded_aws.services.sagemaker.training.runs import TrainingRuns
from embedded_aws.services.sagemaker.tuning.operations import TuningRuns


def provider(runtime: Runtime) -> Provider:
    training, tuning = TrainingRuns(runtime), TuningRuns(runtime)
    runtime.add(training)
    runtime.add(tuning)
    LocalSageMakerBackend.training_runs, LocalSageMakerBackend.tuning_runs = training, tuning
    hosting_start, hosting_stop = hosting.hooks(runtime)
    workbench_start, workbench_stop = workbench.hooks(runtime)
    return Provider(
        backends=[(models.sagemaker_backends, LocalSageMakerBackend)],
        routes=[
            Routes(table=urls.url_paths, paths=["{0}/$"], responses=LocalSageMakerResponse),
            Routes(
                table=runtime_urls.url_paths,
                paths=[*runtime_urls.url_paths, STREAM_PATH],
                responses=LocalSageMakerRuntimeResponse,
            ),
        ],
        on_start=[hosting_start, workbench_start, service.resume_jobs],
        on_stop=[hosting_stop, workbench_stop, tuning.halt, training.halt],
    )
