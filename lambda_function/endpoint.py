"""Ask the SageMaker endpoint, and say what went wrong in the caller's terms."""

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from contract import EndpointFailed, EndpointTimeout, ModelRefused, Throttled

_THROTTLING = {"ThrottlingException", "Throttling", "TooManyRequestsException", "ModelNotReadyException"}
_LONGEST_MESSAGE = 200


def invoke(runtime: Any, endpoint: str, data: bytes, media_type: str, custom_attributes: str) -> Any:
    """The endpoint's JSON answer. Raises ModelRefused (4xx), Throttled, EndpointTimeout or EndpointFailed."""
    options = {"CustomAttributes": custom_attributes} if custom_attributes else {}
    try:
        response = runtime.invoke_endpoint(
            EndpointName=endpoint, Body=data, ContentType=media_type, Accept="application/json", **options
        )
        return json.loads(response["Body"].read())
    except (ReadTimeoutError, ConnectTimeoutError) as error:
        raise EndpointTimeout("the endpoint did not answer in time") from error
    except ClientError as error:
        raise _meaning(error) from error
    except (BotoCoreError, ValueError) as error:
        raise EndpointFailed("the endpoint could not be reached or gave no JSON") from error


def _meaning(error: ClientError) -> Exception:
    code = error.response["Error"]["Code"]
    if code in _THROTTLING:
        return Throttled("the endpoint has too many requests; try again")
    if code != "ModelError":
        return EndpointFailed("the endpoint refused the call")
    status = error.response.get("OriginalStatusCode", 0)
    if 400 <= status < 500:
        return ModelRefused(_model_message(error), status)
    # SageMaker's own 60 s limit comes as a ModelError with status 0.
    if status == 504 or "timed out" in error.response["Error"].get("Message", ""):
        return EndpointTimeout("the model did not answer in time")
    return EndpointFailed("the model failed")


def _model_message(error: ClientError) -> str:
    """The sentence of our serving program's `{"error": sentence}`; another program's text stays inside."""
    try:
        message = json.loads(error.response.get("OriginalMessage", ""))["error"]
    except (ValueError, KeyError, TypeError):
        message = None
    return message[:_LONGEST_MESSAGE] if isinstance(message, str) else "the model refused the image"
