"""Requests parsed with botocore's service models: service, operation, parameters."""

from __future__ import annotations

import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import ParseError

from moto.core.parse import RequestParserError
from moto.core.request import determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import BackendRequest
from werkzeug.exceptions import HTTPException, NotFound

from embedded_aws.iam import wire
from embedded_aws.iam.errors import Refusal

# Signing names that differ from botocore's service names.
_MODELS = {
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2",
    "email": "sesv2",
    "eventbridge": "events",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
# Signing names that differ from the prefix of IAM actions.
_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag", "email": "ses", "eventbridge": "events"}


@dataclass(frozen=True)
class Call:
    """One API call."""

    prefix: str
    """Prefix of its IAM actions, e.g. "sagemaker"."""

    model: str
    """botocore's name of the service, e.g. "sagemaker-runtime"."""

    operation: str
    """Name of the operation, e.g. "InvokeEndpoint"."""

    protocol: str
    """"s3", "query", "ec2", "json", "rest-json" or "rest-xml"."""

    region: str
    """Region of the signature."""

    parameters: Mapping[str, Any]
    """Parameters as boto3 takes them."""

    headers: Mapping[str, str]

    arguments: frozenset[str] = frozenset()
    """Names of the query parameters."""

    body: bytes = b""

    caller: str = ""
    """ARN of the user or role whose policies apply; set after authentication."""

    caller_arn: str = ""
    """ARN of the caller, which for a role is that of the session."""

    def parameter(self, name: str) -> Any:
        return self.parameters.get(name)


def model_name(signing_name: str, environ: Mapping[str, Any]) -> str:
    """Return botocore's name of the service that a request is signed for."""
    path = environ.get("PATH_INFO", "")
    if signing_name == "sagemaker" and "HTTP_X_AMZ_TARGET" not in environ:
        return "sagemaker-metrics" if path.endswith("BatchPutMetrics") else "sagemaker-runtime"
    if signing_name == "s3" and path.startswith("/v20180820/"):
        return "s3control"
    if signing_name == "apigateway" and path.startswith("/v2/"):
        return "apigatewayv2"
    return _MODELS.get(signing_name, signing_name)


def protocol_of(model: str, environ: Mapping[str, Any]) -> str:
    """Return the protocol of the response, before the operation is known. "s3" stands for S3's rest-xml."""
    if model == "s3":
        return "s3"
    if environ.get("HTTP_SMITHY_PROTOCOL") == "rpc-v2-cbor":
        return "cbor"
    try:
        return determine_request_protocol(get_service_model(model), environ.get("CONTENT_TYPE"))
    except Exception:  # botocore has no such service, or the service no such protocol
        return "json" if "json" in environ.get("CONTENT_TYPE", "") else "query"


def query_compatible(model: str) -> bool:
    """Report whether SDKs expect the error codes of the service's former query protocol."""
    try:
        return "awsQueryCompatible" in get_service_model(model).metadata
    except Exception:  # no such service
        return False


def read(signing_name: str, region: str, environ: Mapping[str, Any], body: bytes) -> Call:
    """Return the call in a WSGI request. Raises Refusal for unknown operations and unreadable input."""
    model = model_name(signing_name, environ)
    if environ.get("HTTP_CONTENT_ENCODING") == "gzip" and model != "s3":
        body = gzip.decompress(body)
    request = BackendRequest(
        {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, populate_request=False
    )
    protocol = protocol_of(model, environ)
    if protocol not in ("query", "ec2") and "Action" in request.args:
        # moto would read the operation from it.
        raise Refusal("unknown operation", "Action is no query parameter of this service's protocol.")
    try:
        operation, labels = get_service_router(model).match(request)
    except NotFound:
        raise Refusal("unknown operation", f"{signing_name} has no operation for this request.") from None
    except (HTTPException, NotImplementedError) as error:
        raise Refusal("malformed", f"The request cannot be read: {error}") from None
    except Exception as error:
        raise Refusal("unknown operation", f"There is no service {signing_name}: {error}") from None
    try:
        protocol_used = determine_request_protocol(get_service_model(model), request.content_type)
        parameters = wire.PARSERS[protocol_used](operation).parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": body,
                "url_path": request.path,
                "url_params": labels,
            }
        )
    except wire.UnknownParameter as error:
        raise Refusal("unknown parameter", str(error)) from None
    except wire.BadArgument as error:
        raise Refusal("bad argument", str(error)) from None
    except (RequestParserError, ParseError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise Refusal("malformed", f"The input of {operation.name} cannot be read: {error}") from None
    return Call(
        prefix=_PREFIXES.get(signing_name, signing_name),
        model=model,
        operation=operation.name,
        protocol=protocol,
        region=region,
        parameters={**labels, **parameters} if isinstance(parameters, dict) else labels,
        headers=request.headers,  # type: ignore[arg-type]
        arguments=frozenset(request.args),
        body=body,
    )
