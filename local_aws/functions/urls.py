"""Function URLs: HTTP requests to a host name of the function's own, as events of payload format 2.0."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from local_aws import ACCOUNT_ID
from local_aws.runtime import Runtime

if TYPE_CHECKING:
    from local_aws.access.principals import Principal
    from local_aws.functions.backend import LocalLambdaBackend

ACTION = "lambda:InvokeFunctionUrl"
HOST = re.compile(r"(?P<id>[0-9a-f]{32})\.lambda-url\.(?P<region>[a-z0-9-]+)\.localhost:(?P<port>[0-9]+)")
TEXT = re.compile(r"(text/.*|application/(json|javascript|xml|x-www-form-urlencoded|.*\+(json|xml)))(;.*)?")

Answer = tuple[str, list[tuple[str, str]], bytes]


class Forbidden(Exception):
    """The URL does not exist, or its caller may not use it."""


def address(recorded: str, port: int) -> str:
    """The URL that is served, for the one that moto recorded: the same name, on this machine."""
    identity, region = re.findall(r"//(\w+)\.lambda-url\.([\w-]+)\.", recorded)[0]
    return f"http://{identity}.lambda-url.{region}.localhost:{port}/"


def is_for_function(environ: Mapping[str, Any], port: int) -> bool:
    """Whether a WSGI request is for a function's host name."""
    host = HOST.fullmatch(environ.get("HTTP_HOST", ""))
    return host is not None and int(host["port"]) == port


def answer(environ: Mapping[str, Any], runtime: Runtime) -> Answer:
    """Run the function for a request for which `is_for_function`. Returns status line, headers and body."""
    from moto.core.exceptions import JsonRESTError

    from local_aws.access.errors import Refusal
    from local_aws.functions.errors import RequestTooLargeException, TooManyRequestsException
    from local_aws.functions.service import current

    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    host = HOST.fullmatch(environ["HTTP_HOST"])
    assert host is not None
    try:
        name, qualifier, caller = _admitted(environ, body, runtime, host["id"], host["region"])
        payload = json.dumps(event(environ, body, host["id"], caller)).encode()
        result = current().invoke(host["region"], name, qualifier, payload)
    except (Forbidden, Refusal):
        return _page(403, "Forbidden")
    except TooManyRequestsException:
        return _page(429, "Rate Exceeded.")
    except RequestTooLargeException:
        return _page(413, "Request Entity Too Large")
    except JsonRESTError:  # the role cannot be assumed, say: Lambda keeps it to itself
        return _page(502, "Internal Server Error")
    if result.function_error:
        return _page(502, "Internal Server Error")
    return response(result.payload, result.request_id)


def _admitted(
    environ: Mapping[str, Any], body: bytes, runtime: Runtime, identity: str, region: str
) -> tuple[str, str | None, Principal]:
    """Function, qualifier and caller. Raises Forbidden, Refusal."""
    from local_aws.access import authenticate
    from local_aws.access.evaluate import decide
    from local_aws.access.principals import ANONYMOUS
    from local_aws.functions.service import current

    backend = current().backend(region)
    found = [key for key, config in list(backend.url_configs.items()) if f"//{identity}." in config.url]
    if not found:
        raise Forbidden
    name, qualifier = found[0]
    auth_type = backend.url_configs[found[0]].config["AuthType"]
    caller = ANONYMOUS
    if auth_type == "AWS_IAM":
        signature = authenticate.read(environ)
        if signature is None or signature.service != "lambda" or runtime.gate is None:
            raise Forbidden
        caller = authenticate.authenticate(signature, environ, body, runtime.gate.principal)
    arn = backend.latest(name).unqualified_arn + (f":{qualifier}" if qualifier else "")
    context = {
        "aws:securetransport": "true",
        "aws:requestedregion": region,
        "aws:sourceip": environ.get("REMOTE_ADDR", "127.0.0.1"),
        "lambda:functionurlauthtype": auth_type,
        **caller.context(),
    }
    if not decide(caller, ACTION, arn, context, _policy(backend, found[0])).allowed:
        raise Forbidden
    return name, qualifier or None, caller


def _policy(backend: LocalLambdaBackend, key: tuple[str, str]) -> str | None:
    policy = backend.policies.get(key)
    return json.dumps({"Version": "2012-10-17", "Statement": policy.statements}) if policy else None


def event(environ: Mapping[str, Any], body: bytes, identity: str, caller: Principal) -> dict[str, Any]:
    """The event of payload format 2.0 for a request.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
    """
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
    }
    cookies = [part.strip() for part in headers.pop("cookie", "").split(";") if part.strip()]
    headers |= {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-port": "80"}
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True):
        query.setdefault(name, []).append(value)
    now = time.time()
    context: dict[str, Any] = {
        "accountId": "anonymous",
        "apiId": identity,
        "domainName": environ["HTTP_HOST"].partition(":")[0],
        "domainPrefix": identity,
        "http": {
            "method": environ["REQUEST_METHOD"],
            "path": environ["PATH_INFO"],
            "protocol": environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
            "sourceIp": environ.get("REMOTE_ADDR", "127.0.0.1"),
            "userAgent": environ.get("HTTP_USER_AGENT", ""),
        },
        "requestId": str(uuid.uuid4()),
        "routeKey": "$default",
        "stage": "$default",
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    if caller.kind != "Anonymous":
        context["accountId"] = ACCOUNT_ID
        context["authorizer"] = {
            "iam": {
                "accountId": ACCOUNT_ID,
                "callerId": caller.user_id,
                "userArn": caller.arn,
                "userId": caller.user_id,
            }
        }
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": environ["PATH_INFO"],
        "rawQueryString": environ.get("QUERY_STRING", ""),
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies:
        made["cookies"] = cookies
    if query:
        made["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    if body:
        text = _text(body, headers.get("content-type", ""))
        made["isBase64Encoded"] = text is None
        made["body"] = base64.b64encode(body).decode() if text is None else text
    return made


def _text(body: bytes, content_type: str) -> str | None:
    if TEXT.fullmatch(content_type) is None:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def response(payload: bytes, request_id: str) -> Answer:
    """The HTTP answer that a function's result stands for: as it says, or its JSON as it is."""
    result = json.loads(payload or b"null")
    headers = {"content-type": "application/json", "x-amzn-requestid": request_id}
    if not isinstance(result, dict) or "statusCode" not in result:
        return "200 OK", list(headers.items()), result.encode() if isinstance(result, str) else payload
    headers |= {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    body = result.get("body") or ""
    try:
        status = int(result["statusCode"])
        content = base64.b64decode(body) if result.get("isBase64Encoded") else str(body).encode()
    except ValueError:
        return _page(502, "Internal Server Error")
    headers.pop("content-length", None)  # of what is sent, which the server knows
    listed = list(headers.items()) + [("set-cookie", str(cookie)) for cookie in result.get("cookies") or []]
    return f"{status} {_phrase(status)}", listed, content


def _page(status: int, message: str) -> Answer:
    headers = [("content-type", "application/json")]
    return f"{status} {_phrase(status)}", headers, json.dumps({"Message": message}).encode()


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
