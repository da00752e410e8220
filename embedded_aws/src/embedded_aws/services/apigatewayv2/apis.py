"""Requests to HTTP APIs: throttled, authorised, and answered by the function of their route."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any

from embedded_aws import ACCOUNT_ID
from embedded_aws.runtime import Runtime
from embedded_aws.services.apigatewayv2 import routes
from embedded_aws.services.lambda_ import web
from embedded_aws.services.lambda_.web import Answer, Forbidden

if TYPE_CHECKING:
    from embedded_aws.iam.principals import Principal
    from embedded_aws.services.lambda_.service import Answer as Result

SERVICE = "execute-api"
ACTION = "execute-api:Invoke"
DEFAULT = "$default"  # the stage without a path of its own, and the route that takes what no other does
GATEWAY = "apigateway.amazonaws.com"
MAX_BODY_BYTES = 10 << 20
TEXT = "text/plain; charset=utf-8"  # where a function's answer names no content type

_throttle = routes.Throttle()


def answer(environ: Mapping[str, Any], runtime: Runtime, identity: str, region: str) -> Answer:
    """The answer to a request to an API's host name."""
    from moto.core.exceptions import JsonRESTError

    from embedded_aws.iam.errors import Refusal
    from embedded_aws.services.lambda_.exceptions import RequestTooLargeException, TooManyRequestsException

    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    try:
        request = Request.of(environ, identity, region)
    except LookupError:
        return _page(404, "Not Found")
    if not _throttle.admit((identity, request.stage.name, request.key), *request.limits):
        return _page(429, "Too Many Requests")
    if len(body) > MAX_BODY_BYTES:
        return _page(413, "Request Entity Too Large")
    try:
        event = request.event(body, request.admitted(body, runtime))
        result = request.call(json.dumps(event).encode())
    except (Forbidden, Refusal):
        return _page(403, "Forbidden")
    except RequestTooLargeException:
        return _page(413, "Request Entity Too Large")
    except (TooManyRequestsException, TimeoutError):
        return _page(503, "Service Unavailable")
    except (JsonRESTError, PermissionError):  # no such function, say, or it does not let the API in
        return _page(500, "Internal Server Error")
    if result.function_error:
        return _page(500, "Internal Server Error")
    try:
        return web.answer(result.payload, TEXT, apigw_requestid=event["requestContext"]["requestId"])
    except ValueError:
        return _page(500, "Internal Server Error")


@dataclass(frozen=True)
class Request:
    """One request and the stage, the route and the integration that it takes. path: without a named stage."""

    environ: Mapping[str, Any]
    api: Any
    region: str
    stage: Any
    route: Any
    integration: Any
    path: str
    parameters: dict[str, str]

    @classmethod
    def of(cls, environ: Mapping[str, Any], identity: str, region: str) -> Request:
        """Raises LookupError if the API, its stage, a route or its integration is missing."""
        from moto.apigatewayv2.models import apigatewayv2_backends

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
        return self.route.route_key

    @property
    def limits(self) -> tuple[float, float]:
        """Rate and burst."""
        return routes.limits(self.stage, self.key)

    def admitted(self, body: bytes, runtime: Runtime) -> Principal:
        """The caller. Raises Forbidden, Refusal."""
        from embedded_aws.iam.evaluate import decide
        from embedded_aws.iam.principals import ANONYMOUS

        if self.route.authorization_type != "AWS_IAM":
            return ANONYMOUS
        caller = web.caller(self.environ, body, SERVICE, runtime)
        arn = self._arn(f"{self.environ['REQUEST_METHOD']}{self.path}")
        if not decide(caller, ACTION, arn, web.context(self.environ, self.region, caller)).allowed:
            raise Forbidden
        return caller

    def event(self, body: bytes, caller: Principal) -> dict[str, Any]:
        made = web.event(self.environ, body, self.api.api_id, caller, ACCOUNT_ID, self.key, self.stage.name)
        if self.parameters:
            made["pathParameters"] = self.parameters
        if self.stage.stage_variables:
            made["stageVariables"] = self.stage.stage_variables
        return made

    def call(self, payload: bytes) -> Result:
        """Run the function, if its resource policy lets this route.

        Raises PermissionError, TimeoutError, and as `LambdaService.invoke`.
        """
        from embedded_aws.iam.evaluate import decide
        from embedded_aws.iam.principals import service
        from embedded_aws.services.lambda_.service import current

        named = routes.FUNCTION.fullmatch(self.integration.integration_uri)
        assert named is not None  # or the integration would have been refused
        name, qualifier, region = named["name"], named["qualifier"], named["region"]
        backend = current().backend(region)
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
            return current().invoke(region, name, qualifier, payload)
        return _within(seconds, current().invoke, region, name, qualifier, payload)

    def _arn(self, what: str) -> str:
        return f"arn:aws:execute-api:{self.region}:{ACCOUNT_ID}:{self.api.api_id}/{self.stage.name}/{what}"


def _within(seconds: float, work: Callable[..., Result], *arguments: Any) -> Result:
    """The result of `work`, which goes on in the background if it takes longer. Raises TimeoutError."""
    future: futures.Future[Result] = futures.Future()

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


def _page(status: int, message: str) -> Answer:
    return web.page(status, {"message": message})
