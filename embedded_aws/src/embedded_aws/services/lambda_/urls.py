"""Function URLs: pass an HTTP request to the function as an event of payload format 2.0."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError

from embedded_aws.iam.errors import Refusal
from embedded_aws.iam.evaluate import decide
from embedded_aws.iam.principals import ANONYMOUS, Principal
from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_ import web
from embedded_aws.services.lambda_.backend import backend_of
from embedded_aws.services.lambda_.exceptions import RequestTooLargeException, TooManyRequestsException
from embedded_aws.services.lambda_.invoker import Invoker
from embedded_aws.services.lambda_.web import Forbidden, HttpResponse

ACTION = "lambda:InvokeFunctionUrl"
SERVICE = "lambda-url"


def address(recorded: str, port: int) -> str:
    """Return the function URL that this machine serves: moto's, on localhost."""
    identity, region = re.findall(r"//(\w+)\.lambda-url\.([\w-]+)\.", recorded)[0]
    return f"http://{identity}.lambda-url.{region}.localhost:{port}/"


def answer(environ: Mapping[str, Any], runtime: Runtime, identity: str, region: str) -> HttpResponse:
    """Run the function for a request to a function URL, and return its response."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        name, qualifier, caller = _admitted(environ, body, runtime, identity, region)
        payload = json.dumps(web.event(environ, body, identity, caller)).encode()
        result = runtime.get(Invoker).invoke(region, name, qualifier, payload)  # type: ignore[type-abstract]
    except (Forbidden, Refusal):
        return _page(403, "Forbidden")
    except TooManyRequestsException:
        return _page(429, "Rate Exceeded.")
    except RequestTooLargeException:
        return _page(413, "Request Entity Too Large")
    except JsonRESTError:  # e.g. the role cannot be assumed; AWS does not return the reason
        return _page(502, "Internal Server Error")
    if result.function_error:
        return _page(502, "Internal Server Error")
    return response(result.payload, result.request_id)


def _admitted(
    environ: Mapping[str, Any], body: bytes, runtime: Runtime, identity: str, region: str
) -> tuple[str, str | None, Principal]:
    """Return function, qualifier and caller of a permitted request. Raises Forbidden, Refusal."""
    backend = backend_of(region)
    found = [key for key, config in list(backend.url_configs.items()) if f"//{identity}." in config.url]
    if not found:
        raise Forbidden
    name, qualifier = found[0]
    auth_type = backend.url_configs[found[0]].config["AuthType"]
    caller = web.caller(environ, body, "lambda", runtime) if auth_type == "AWS_IAM" else ANONYMOUS
    arn = backend.latest(name).unqualified_arn + (f":{qualifier}" if qualifier else "")
    context = web.context(environ, region, caller) | {"lambda:functionurlauthtype": auth_type}
    if not decide(caller, ACTION, arn, context, web.policy(backend, *found[0])).allowed:
        raise Forbidden
    return name, qualifier or None, caller


def response(payload: bytes, request_id: str) -> HttpResponse:
    """Return the HTTP response for a function's result."""
    try:
        return web.answer(payload, "application/json", x_amzn_requestid=request_id)
    except ValueError:
        return _page(502, "Internal Server Error")


def _page(status: int, message: str) -> HttpResponse:
    return web.page(status, {"Message": message})
