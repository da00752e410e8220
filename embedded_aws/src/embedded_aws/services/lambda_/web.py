"""HTTP for function URLs and HTTP APIs: host names, callers, events and responses of payload format 2.0."""

from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import authenticate
from embedded_aws.iam.gate import Gate
from embedded_aws.iam.principals import Principal
from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_.backend import EmbeddedLambdaBackend

TEXT = re.compile(r"(text/.*|application/(json|javascript|xml|x-www-form-urlencoded|.*\+(json|xml)))(;.*)?")

HttpResponse = tuple[str, list[tuple[str, str]], bytes]  # status line, headers, body


class Forbidden(Exception):
    """The requested resource does not exist, or the caller may not use it."""


def host_of(environ: Mapping[str, Any], service: str, port: int) -> tuple[str, str] | None:
    """Return (ID, region) of a WSGI request to `ID.SERVICE.REGION.localhost:PORT`; None for another host."""
    pattern = rf"([0-9a-z]+)\.{re.escape(service)}\.([a-z0-9-]+)\.localhost:([0-9]+)"
    found = re.fullmatch(pattern, environ.get("HTTP_HOST", ""))
    return (found[1], found[2]) if found and int(found[3]) == port else None


def caller(environ: Mapping[str, Any], body: bytes, service: str, runtime: Runtime) -> Principal:
    """Return the principal that signed a request.

    service: for which the request must be signed.
    Raises Forbidden without a signature for it, Refusal if the signature is not valid.
    """
    signature = authenticate.read(environ)
    if signature is None or signature.service != service:
        raise Forbidden
    return authenticate.authenticate(signature, environ, body, runtime.get(Gate).principal)


def context(environ: Mapping[str, Any], region: str, principal: Principal) -> dict[str, Any]:
    """Return the condition keys of a request."""
    return {
        "aws:securetransport": "true",
        "aws:requestedregion": region,
        "aws:sourceip": environ.get("REMOTE_ADDR", "127.0.0.1"),
        **principal.context(),
    }


def policy(backend: EmbeddedLambdaBackend, name: str, qualifier: str) -> str | None:
    """Return the resource policy of a function, version or alias; None if it has none."""
    found = backend.policies.get((name, qualifier))
    return json.dumps({"Version": "2012-10-17", "Statement": found.statements}) if found else None


def event(
    environ: Mapping[str, Any],
    body: bytes,
    identity: str,
    principal: Principal,
    account: str = "anonymous",
    route_key: str = "$default",
    stage: str = "$default",
) -> dict[str, Any]:
    """Return the event of payload format 2.0 for a request.

    account: accountId of an unsigned request.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    headers = _headers(environ)
    cookies = [part.strip() for part in headers.pop("cookie", "").split(";") if part.strip()]
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True):
        query.setdefault(name, []).append(value)
    context = _request_context(environ, identity, account)
    context |= {"routeKey": route_key, "stage": stage, **_authorizer(principal)}
    document: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": environ["PATH_INFO"],
        "rawQueryString": environ.get("QUERY_STRING", ""),
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if cookies:
        document["cookies"] = cookies
    if query:
        document["queryStringParameters"] = {name: ",".join(values) for name, values in query.items()}
    if body:
        text = _text(body, headers.get("content-type", ""))
        document["isBase64Encoded"] = text is None
        document["body"] = base64.b64encode(body).decode() if text is None else text
    return document


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
    }
    return headers | {"x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http", "x-forwarded-port": "80"}


def _request_context(environ: Mapping[str, Any], identity: str, account: str) -> dict[str, Any]:
    now = time.time()
    return {
        "accountId": account,
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
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }


def _authorizer(principal: Principal) -> dict[str, Any]:
    """Return the part of the request context that identifies the signer of a request."""
    if principal.kind == "Anonymous":
        return {}
    iam = {
        "accountId": ACCOUNT_ID,
        "callerId": principal.user_id,
        "userArn": principal.arn,
        "userId": principal.user_id,
    }
    return {"accountId": ACCOUNT_ID, "authorizer": {"iam": iam}}


def _text(body: bytes, content_type: str) -> str | None:
    if TEXT.fullmatch(content_type) is None:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def answer(payload: bytes, content_type: str, **headers: str) -> HttpResponse:
    """Return the HTTP response for a function's result.

    A result with `statusCode` describes the response; any other result is the body of a JSON response.
    content_type: of a described response that names none. headers: added to those of the result.
    Raises ValueError for a status or a body that cannot be sent.
    """
    result = json.loads(payload or b"null")
    added = {name.replace("_", "-"): value for name, value in headers.items()}
    if not isinstance(result, dict) or "statusCode" not in result:
        listed = list(({"content-type": "application/json"} | added).items())
        return "200 OK", listed, result.encode() if isinstance(result, str) else payload
    named = {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    named = {"content-type": content_type} | added | named
    body = result.get("body") or ""
    status = int(result["statusCode"])
    if not 100 <= status <= 599:
        raise ValueError(f"{status} is not an HTTP status")
    content = base64.b64decode(body) if result.get("isBase64Encoded") else str(body).encode()
    named.pop("content-length", None)  # the server sets it
    cookies = [("set-cookie", str(cookie)) for cookie in result.get("cookies") or []]
    return f"{status} {phrase(status)}", list(named.items()) + cookies, content


def page(status: int, document: dict[str, str]) -> HttpResponse:
    """Return a JSON response."""
    headers = [("content-type", "application/json")]
    return f"{status} {phrase(status)}", headers, json.dumps(document).encode()


def phrase(status: int) -> str:
    """Return the reason phrase of an HTTP status."""
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
