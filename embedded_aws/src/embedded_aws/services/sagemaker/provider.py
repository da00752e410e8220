"""Amazon SageMaker in moto's place: builds every part that runs something."""

from __future__ import annotations

from functools import partial

from moto.sagemaker import models, urls
from moto.sagemakerruntime import urls as runtime_urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider, Routes
from embedded_aws.services.sagemaker.backend import EmbeddedSageMakerBackend
from embedded_aws.services.sagemaker.hosting.asynchronous import AsyncInference
from embedded_aws.services.sagemaker.hosting.capture import DataCapture
from embedded_aws.services.sagemaker.hosting.deployments import Deployments
from embedded_aws.services.sagemaker.hosting.metrics import EndpointMetrics
from embedded_aws.services.sagemaker.hosting.routing import EndpointRouter
from embedded_aws.services.sagemaker.hosting.telemetry import Telemetry
from embedded_aws.services.sagemaker.hosting.traffic import LiveEndpoints
from embedded_aws.services.sagemaker.processing.runs import ProcessingRuns
from embedded_aws.services.sagemaker.recovery import recover
from embedded_aws.services.sagemaker.responses import (
    STREAM_PATH,
    EmbeddedSageMakerResponse,
    EmbeddedSageMakerRuntimeResponse,
)
from embedded_aws.services.sagemaker.training.runs import TrainingRuns
from embedded_aws.services.sagemaker.tuning.runs import TuningRuns
from embedded_aws.services.sagemaker.workbench.labs import Labs


def provider(runtime: Runtime) -> Provider:
    live, metrics, capture = LiveEndpoints(), EndpointMetrics(runtime), DataCapture(runtime)
    router = EndpointRouter(runtime, live, metrics, capture)
    asynchronous = AsyncInference(runtime, live, metrics, router)
    deployments = Deployments(runtime, live, metrics, asynchronous)
    telemetry = Telemetry(runtime, live, metrics, asynchronous)
    training, tuning, labs = TrainingRuns(runtime), TuningRuns(runtime), Labs(runtime)
    processing = ProcessingRuns(runtime)
    for part in (live, metrics, router, asynchronous, deployments, training, processing, tuning, labs):
        runtime.add(part)
    return Provider(
        backends=[(models.sagemaker_backends, EmbeddedSageMakerBackend)],
        routes=[
            Routes(table=urls.url_paths, paths=["{0}/$"], responses=EmbeddedSageMakerResponse),
            Routes(
                table=runtime_urls.url_paths,
                paths=[*runtime_urls.url_paths, STREAM_PATH],
                responses=EmbeddedSageMakerRuntimeResponse,
            ),
        ],
        on_start=[partial(recover, runtime), telemetry.start, capture.start],
        on_stop=[capture.flush, labs.halt, tuning.halt, training.halt, processing.halt],
    )
