"""The SageMaker runtime: InvokeEndpoint and InvokeEndpointAsync."""

import json
import uuid
from typing import Any
from urllib.parse import unquote

from moto.core.common_types import TYPE_RESPONSE
from moto.sagemaker.models import sagemaker_backends
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from embedded_aws.services.sagemaker.hosting import asynchronous
from embedded_aws.services.sagemaker.hosting.errors import ValidationError
from embedded_aws.services.sagemaker.hosting.live import Key
from embedded_aws.services.sagemaker.hosting.routing import invoke
from embedded_aws.services.sagemaker.hosting.serverless import BODY_LIMIT as SERVERLESS_BODY_LIMIT

BODY_LIMIT = 6_291_456  # bytes of a request, from the API's model
FORWARDED = (
    "Content-Type",
    "Accept",
    "X-Amzn-SageMaker-Custom-Attributes",
    "X-Amzn-SageMaker-Inference-Id",
    "X-Amzn-SageMaker-Target-Model",
    "X-Amzn-SageMaker-Session-Id",
)

# moto does not know it, and would send it elsewhere.
STREAM_PATH = "{0}/endpoints/(?P<name>[^/]+)/invocations-response-stream$"


class LocalSageMakerRuntimeResponse(SageMakerRuntimeResponse):
    """Bodies are bytes: pictures are not text."""

    use_raw_body = True

    def invoke_endpoint(self) -> TYPE_RESPONSE:
        if len(self.raw_body or b"") > BODY_LIMIT:
            text = json.dumps({"message": f"HTTP content length exceeded {BODY_LIMIT} bytes."})
            return 413, {"Content-Type": "application/json", "status": 413}, text
        key, endpoint = self._asked()
        deployed = (endpoint or {}).get("Deployed") or {"Variants": []}
        if deployed.get("AsyncInferenceConfig"):
            raise ValidationError(f"Endpoint {key[2]} is asynchronous: use InvokeEndpointAsync.")
        serverless = any("ServerlessConfig" in variant for variant in deployed["Variants"])
        if serverless and len(self.raw_body or b"") > SERVERLESS_BODY_LIMIT:
            raise ValidationError(f"Request {uuid.uuid4()} has oversize body.")
        answer = invoke(
            key,
            endpoint,
            self.headers.get("X-Amzn-SageMaker-Target-Variant"),
            self.raw_body or b"",
            {key: self.headers[key] for key in FORWARDED if key in self.headers},
        )
        headers = {
            "Content-Type": answer.headers.get("Content-Type", "application/octet-stream"),
            "x-Amzn-Invoked-Production-Variant": answer.variant,
        }
        attributes = answer.headers.get("X-Amzn-SageMaker-Custom-Attributes")
        if attributes:
            headers["X-Amzn-SageMaker-Custom-Attributes"] = attributes
        return 200, headers, answer.body

    def invoke_endpoint_async(self) -> TYPE_RESPONSE:
        request = asynchronous.submit(*self._asked(), self.headers)
        headers = {"Content-Type": "application/json", "status": 202}
        for name in ("OutputLocation", "FailureLocation"):
            if request[name]:
                headers[f"X-Amzn-SageMaker-{name}"] = request[name]
        return 202, headers, json.dumps({"InferenceId": request["Id"]})

    def invoke_endpoint_with_response_stream(self) -> TYPE_RESPONSE:
        raise ValidationError("The embedded AWS does not stream responses: use InvokeEndpoint.")

    def _asked(self) -> tuple[Key, dict[str, Any] | None]:
        """The endpoint's key and record."""
        name = unquote(self.path.split("/")[2])
        backend: Any = sagemaker_backends[self.current_account][self.region]
        return (self.current_account, self.region, name), backend.hosted_endpoints.get(name)
