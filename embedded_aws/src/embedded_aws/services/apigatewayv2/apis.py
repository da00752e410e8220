"""Requests to HTTP APIs: throttles and authorizes them, and calls the function of their route."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass
from threading import Thread
from typing import Any

from moto.apigatewayv2.models import apigatewayv2_backends
from moto.core.exceptions import JsonRESTError

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.errors import Refusal
from embedded_aws.iam.evaluate import decide
from embedded_aws.iam.principals import ANONYMOUS, Principal, service
from embedded_aws.runtime import Runtime
from embedded_aws.services.apigatewayv2 import routes
from embedded_aws.services.apigatewayv2.routes import Throttle
from embedded_aws.services.lambda_ import web
from embedded_aws.services.lambda_.backend import backend_of
from embedded_aws.services.lambda_.exceptions import RequestTooLargeException, TooManyRequestsException
from embedded_aws.services.lambda_.invoker import Invoker, InvokeResponse
from embedded_aws.services.lambda_.web import Forbidden, HttpResponse

SERVICE = "execute-api"
ACTION = "execute-api:Invoke"
DEFAULT = "$default"  # the stage without a path prefix, and the route for requests that no other matches
GATEWAY = "apigateway.amazonaws.com"
MAX_BODY_BYTES = 10 << 20
TEXT = "text/plain; charset=utf-8"  # if the function's result names no content type


def answer(environ: Mapping[str, Any], runtime: Runtime, identity: str, region: str) -> HttpResponse:
    """Return the response to a request to an API's host name."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        request = Request.of(environ, identity, region)
    except LookupError:
        return _page(404, "Not Found")
    if not runtime.get(Throttle).admit((identity, request.stage.name, request.key), *request.limits):
        return _page(429, "Too Many Requests")
    if len(body) > MAX_BODY_BYTES:
        return _page(413, "Request Entity Too Large")
    try:
        event = request.event(body, request.authorize(body, runtime))
        result = request.call(json.dumps(event).encode(), runtime.get(Invoker))  # type: ignore[type-abstract]
    except (Forbidden, Refusal):
        return _page(403, "Forbidden")
    except RequestTooLargeException:
        return _page(413, "Request Entity Too Large")
    except (TooManyRequestsException, TimeoutError):
        return _page(503, "Service Unavailable")
    except (JsonRESTError, PermissionError):  # e.g. no such function, or its policy does not allow the API
        return _page(500, "Internal Server Error")
    if result.function_error:
        return _page(500, "Internal Server Error")
    try:
        return web.answer(result.payload, TEXT, apigw_requestid=event["requestContext"]["requestId"])
    except ValueError:
        return _page(500, "Internal Server Error")


@dataclass(frozen=True)
class Request:
    """A request with its stage, route and integration: moto's records."""

    environ: Mapping[str, Any]
    """WSGI environment."""

    api: Any

    region: str

    stage: Any

    route: Any

    integration: Any

    path: str
    """Path without the name of the stage."""

    parameters: dict[str, str]
    """Path parameters of the route."""

    @classmethod
    def of(cls, environ: Mapping[str, Any], identity: str, region: str) -> Request:
        """Find stage, route and integration. Raises LookupError if one of them or the API is missing."""
        api = apigatewayv2_backends[ACCOUNT_ID][region].apis[identity]
        if api.disable_execute_api_endpoint:
            raise LookupError(identity)
        path, method = environ["PATH_INFO"] or "/", environ["REQUEST_METHOD"]
        first, _, rest = path[1:].partition("/")
        if first in api.stages and first != DEFAULT:
            stage, path = api.stages[first], f"/{rest}"
        else:
            stage = api.stages[DEFAULT]
        by_key = {route.route_key: route for route in list(api.routes.values())}
        chosen = routes.choose(by_key, method, path)
        if chosen is None:
            raise LookupError(f"{method} {path}")
        route = by_key[chosen[0]]
        integration = api.integrations[(route.target or "").removeprefix("integrations/")]
        return cls(environ, api, region, stage, route, integration, path, chosen[1])

    @property
    def key(self) -> str:
        return str(self.route.route_key)

    @property
    def limits(self) -> tuple[float, float]:
        """Throttling limits: rate and burst."""
        return routes.limits(self.stage, self.key)

    def authorize(self, body: bytes, runtime: Runtime) -> Principal:
        """Return the caller, if it may invoke the route. Raises Forbidden, Refusal."""
        if self.route.authorization_type != "AWS_IAM":
            return ANONYMOUS
        caller = web.caller(self.environ, body, SERVICE, runtime)
        arn = self._arn(f"{self.environ['REQUEST_METHOD']}{self.path}")
        if not decide(caller, ACTION, arn, web.context(self.environ, self.region, caller)).allowed:
            raise Forbidden
        return caller

    def event(self, body: bytes, caller: Principal) -> dict[str, Any]:
        """Return the event of payload format 2.0."""
        event = web.event(self.environ, body, self.api.api_id, caller, ACCOUNT_ID, self.key, self.stage.name)
        if self.parameters:
            event["pathParameters"] = self.parameters
        if self.stage.stage_variables:
            event["stageVariables"] = self.stage.stage_variables
        return event

    def call(self, payload: bytes, invoker: Invoker) -> InvokeResponse:
        """Run the function, if its resource policy allows this route.

        Raises PermissionError, TimeoutError, and what `Invoker.invoke` raises.
        """
        named = routes.FUNCTION.fullmatch(self.integration.integration_uri)
        assert named is not None  # CreateIntegration refuses other URIs
        name, qualifier, region = named["name"], named["qualifier"], named["region"]
        backend = backend_of(region)
        function = backend.latest(name)
        arn = function.unqualified_arn + (f":{qualifier}" if qualifier else "")
        source = self._arn(
            self.key if self.key == DEFAULT else self.environ["REQUEST_METHOD"] + self.key.split()[1]
        )
        context = {"aws:sourcearn": source, "aws:sourceaccount": ACCOUNT_ID, "aws:securetransport": "true"}
        policy = web.policy(backend, name, qualifier or "")
        if not decide(service(GATEWAY), "lambda:InvokeFunction", arn, context, policy).allowed:
            raise PermissionError(f"{source} may not invoke {arn}")
        seconds = self.integration.timeout_in_millis / 1000
        if function.timeout < seconds:
            return invoker.invoke(region, name, qualifier, payload)
        return _within(seconds, invoker.invoke, region, name, qualifier, payload)

    def _arn(self, resource: str) -> str:
        return (
            f"arn:aws:execute-api:{self.region}:{ACCOUNT_ID}:{self.api.api_id}/{self.stage.name}/{resource}"
        )


def _within(seconds: float, work: Callable[..., InvokeResponse], *arguments: Any) -> InvokeResponse:
    """Return the result of `work`. Raises TimeoutError if it takes longer; `work` then continues in the background."""
    future: futures.Future[InvokeResponse] = futures.Future()

    def run() -> None:
        try:
            future.set_result(work(*arguments))
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except futures.TimeoutError:
        raise TimeoutError(f"no answer within {seconds} s") from None


def _page(status: int, message: str) -> HttpResponse:
    return web.page(status, {"message": message})
