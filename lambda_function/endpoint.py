"""Invoke the SageMaker endpoint, and translate its errors for the caller."""

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, ReadTimeoutError

from contract import EndpointFailed, EndpointTimeout, FunctionError, ModelRefused, Throttled

_THROTTLING = {"ThrottlingException", "Throttling", "TooManyRequestsException", "ModelNotReadyException"}
_MESSAGE_CHARACTERS = 200


def invoke(runtime: Any, endpoint: str, data: bytes, media_type: str, custom_attributes: str) -> Any:
    """Return the endpoint's JSON response. Raises ModelRefused (4xx), Throttled, EndpointTimeout or EndpointFailed."""
    options = {"CustomAttributes": custom_attributes} if custom_attributes else {}
    try:
        response = runtime.invoke_endpoint(
            EndpointName=endpoint, Body=data, ContentType=media_type, Accept="application/json", **options
        )
        return json.loads(response["Body"].read())
    except (ReadTimeoutError, ConnectTimeoutError) as error:
        raise EndpointTimeout("the endpoint did not respond in time") from error
    except ClientError as error:
        raise _translate(error) from error
    except (BotoCoreError, ValueError) as error:
        raise EndpointFailed("the endpoint could not be reached or did not return JSON") from error


def _translate(error: ClientError) -> FunctionError:
    code = error.response["Error"]["Code"]
    if code in _THROTTLING:
        return Throttled("the endpoint has too many requests; retry later")
    if code != "ModelError":
        return EndpointFailed("the endpoint refused the call")
    status = error.response.get("OriginalStatusCode", 0)
    if 400 <= status < 500:
        return ModelRefused(_model_message(error), status)
    # SageMaker reports its 60 s limit as a ModelError with status 0.
    if status == 504 or "timed out" in error.response["Error"].get("Message", ""):
        return EndpointTimeout("the model did not respond in time")
    return EndpointFailed("the model failed")


def _model_message(error: ClientError) -> str:
    """Return the message of our container's `{"error": message}`. Any other text could reveal internals."""
    try:
        message = json.loads(error.response.get("OriginalMessage", ""))["error"]
    except (ValueError, KeyError, TypeError):
        message = None
    return message[:_MESSAGE_CHARACTERS] if isinstance(message, str) else "the model refused the image"
