"""HTTP requests of a function URL or an HTTP API (payload format 2.0): to the function's event, and back to HTTP.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
from typing import Any

from contract import BadRequest, MethodNotAllowed

_VERSION = "2.0"


def is_http(event: Any) -> bool:
    """Return whether an event is an HTTP request. Otherwise it comes from a caller of Invoke."""
    if not isinstance(event, dict) or event.get("version") != _VERSION:
        return False
    context = event.get("requestContext")
    return isinstance(context, dict) and isinstance(context.get("http"), dict)


def read(event: dict[str, Any]) -> Any:
    """Return the function's event of a POST request: its JSON body, or its image body with `?top_k=N&scores=true`.

    Raises BadRequest and MethodNotAllowed.
    """
    method = event["requestContext"]["http"].get("method")
    if method != "POST":
        raise MethodNotAllowed(f"{method} is not allowed; POST JSON or an image")
    body, encoded = event.get("body") or "", event.get("isBase64Encoded") is True
    content_type = str((event.get("headers") or {}).get("content-type", "")).lower()
    if content_type.startswith("image/"):
        image = body if encoded else base64.b64encode(body.encode()).decode()
        return {"image": image, **_options(event.get("queryStringParameters") or {})}
    try:
        return json.loads(base64.b64decode(body, validate=True) if encoded else body)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadRequest("the body must be JSON, or an image with an image/... content type") from error


def to_http(response: dict[str, Any]) -> dict[str, Any]:
    """Return the HTTP response: headers, and the body as JSON text."""
    headers = {"content-type": "application/json"}
    if response["statusCode"] == MethodNotAllowed.status:
        headers["allow"] = "POST"
    return {**response, "headers": headers, "body": json.dumps(response["body"])}


def _options(query: dict[str, str]) -> dict[str, Any]:
    """Convert numbers and booleans of the query. Other values stay strings, which `parse` refuses."""
    values: dict[str, Any] = {"true": True, "false": False}
    return {
        name: int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else values.get(text, text)
        for name, text in query.items()
    }
