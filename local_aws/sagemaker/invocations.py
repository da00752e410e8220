"""The SageMaker runtime: InvokeEndpoint."""

from moto.sagemakerruntime.responses import SageMakerRuntimeResponse


class LocalSageMakerRuntimeResponse(SageMakerRuntimeResponse):
    """Bodies are bytes: pictures are not text."""

    use_raw_body = True
