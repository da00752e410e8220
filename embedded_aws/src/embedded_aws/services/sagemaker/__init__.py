"""SageMaker of the embedded AWS: jobs train, endpoints answer."""

from embedded_aws.runtime import Runtime


def install(current: Runtime) -> None:
    """Put our backend and responses in moto's place, before its first request."""
    from moto.sagemaker import models, urls
    from moto.sagemakerruntime import urls as runtime_urls

    from embedded_aws.services.sagemaker.invocations import LocalSageMakerRuntimeResponse
    from embedded_aws.services.sagemaker.service import LocalSageMakerBackend, LocalSageMakerResponse

    models.sagemaker_backends.backend = LocalSageMakerBackend
    urls.url_paths["{0}/$"] = LocalSageMakerResponse.dispatch
    for path in runtime_urls.url_paths:
        runtime_urls.url_paths[path] = LocalSageMakerRuntimeResponse.dispatch
    LocalSageMakerBackend.start_services(current)
