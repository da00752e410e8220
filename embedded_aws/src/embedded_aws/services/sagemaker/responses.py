"""The response classes of SageMaker and of the SageMaker runtime."""

import json
import uuid
from typing import Any
from urllib.parse import unquote

from moto.core.common_types import TYPE_RESPONSE
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from embedded_aws.services.sagemaker.hosting import serverless
from embedded_aws.services.sagemaker.hosting.asynchronous import AsyncInference
from embedded_aws.services.sagemaker.hosting.exceptions import ValidationError
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.responses import HostingResponse
from embedded_aws.services.sagemaker.hosting.routing import EndpointRouter
from embedded_aws.services.sagemaker.optional import OptionalResponse
from embedded_aws.services.sagemaker.processing.responses import ProcessingResponse
from embedded_aws.services.sagemaker.refused import RefusedResponse
from embedded_aws.services.sagemaker.registry.responses import RegistryResponse
from embedded_aws.services.sagemaker.tags import TagResponse
from embedded_aws.services.sagemaker.training.responses import TrainingResponse
from embedded_aws.services.sagemaker.tuning.responses import TuningResponse
from embedded_aws.services.sagemaker.workbench.responses import WorkbenchResponse

BODY_LIMIT = 6_291_456  # bytes of a request, from the API model
FORWARDED = (
    "Content-Type",
    "Accept",
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Inference-Id",
    "X-Amzn-SageMaker-Target-Model",
    "X-Amzn-SageMaker-Session-Id",
)

# moto does not have this path.
STREAM_PATH = "{0}/endpoints/(?P<name>[^/]+)/invocations-response-stream$"


class EmbeddedSageMakerResponse(
    OptionalResponse,
    TrainingResponse,
    TuningResponse,
    ProcessingResponse,
    HostingResponse,
    RegistryResponse,
    WorkbenchResponse,
    TagResponse,
    RefusedResponse,  # type: ignore[misc]
    SageMakerResponse,
):
    """moto's responses, with ours in front."""


class EmbeddedSageMakerRuntimeResponse(SageMakerRuntimeResponse):
    """InvokeEndpoint and InvokeEndpointAsync."""

    use_raw_body = True  # images are not text

    def invoke_endpoint(self) -> TYPE_RESPONSE:
        if len(self.raw_body or b"") > BODY_LIMIT:
            text = json.dumps({"message": f"HTTP content length exceeded {BODY_LIMIT} bytes."})
            return 413, {"Content-Type": "application/json", "status": 413}, text
        key, endpoint = self._endpoint()
        deployed = (endpoint or {}).get("Deployed") or {"Variants": []}
        if deployed.get("AsyncInferenceConfig"):
            raise ValidationError(f"Endpoint {key.name} is asynchronous: use InvokeEndpointAsync.")
        is_serverless = any("ServerlessConfig" in variant for variant in deployed["Variants"])
        if is_serverless and len(self.raw_body or b"") > serverless.BODY_LIMIT:
            raise ValidationError(f"Request {uuid.uuid4()} has oversize body.")
        prediction = self._backend.runtime.get(EndpointRouter).invoke(
            key,
            endpoint,
            self.headers.get("X-Amzn-SageMaker-Target-Variant"),
            self.raw_body or b"",
            {name: self.headers[name] for name in FORWARDED if name in self.headers},
        )
        headers = {
            "Content-Type": prediction.headers.get("Content-Type", "application/octet-stream"),
            "x-Amzn-Invoked-Production-Variant": prediction.variant,
        }
        attributes = prediction.headers.get("X-Amzn-SageMaker-Custom-Attributes")
        if attributes:
            headers["X-Amzn-SageMaker-Custom-Attributes"] = attributes
        return 200, headers, prediction.body

    def invoke_endpoint_async(self) -> TYPE_RESPONSE:
        request = self._backend.runtime.get(AsyncInference).submit(*self._endpoint(), self.headers)
        headers = {"Content-Type": "application/json", "status": 202}
        for name in ("OutputLocation", "FailureLocation"):
            if request[name]:
                headers[f"X-Amzn-SageMaker-{name}"] = request[name]
        return 202, headers, json.dumps({"InferenceId": request["Id"]})

    def invoke_endpoint_with_response_stream(self) -> TYPE_RESPONSE:
        raise ValidationError("The embedded AWS does not stream responses: use InvokeEndpoint.")

    @property
    def _backend(self) -> Any:
        return sagemaker_backends[self.current_account][self.region]

    def _endpoint(self) -> tuple[EndpointKey, dict[str, Any] | None]:
        """Return the key and, if there is one, the record of the endpoint in the path."""
        key = EndpointKey(self.current_account, self.region, unquote(self.path.split("/")[2]))
        return key, self._backend.hosted_endpoints.get(key.name)
