"""What function URLs and HTTP APIs share: host names, callers, events and answers of payload format 2.0."""

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

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.gate import Gate
from embedded_aws.runtime import Runtime

if TYPE_CHECKING:
    from embedded_aws.iam.principals import Principal
    from embedded_aws.services.lambda_.backend import EmbeddedLambdaBackend

TEXT = re.compile(r"(text/.*|application/(json|javascript|xml|x-www-form-urlencoded|.*\+(json|xml)))(;.*)?")

Answer = tuple[str, list[tuple[str, str]], bytes]  # status line, headers, body


class Forbidden(Exception):
    """What was asked for does not exist, or its caller may not use it."""


def host_of(environ: Mapping[str, Any], service: str, port: int) -> tuple[str, str] | None:
    """(id, region) of a WSGI request to `ID.SERVICE.REGION.localhost:PORT`; None if it is to another host."""
    pattern = rf"([0-9a-z]+)\.{re.escape(service)}\.([a-z0-9-]+)\.localhost:([0-9]+)"
    found = re.fullmatch(pattern, environ.get("HTTP_HOST", ""))
    return (found[1], found[2]) if found and int(found[3]) == port else None


def caller(environ: Mapping[str, Any], body: bytes, service: str, runtime: Runtime) -> Principal:
    """Who signed a request for `service`. Raises Forbidden if nobody did, Refusal if the signature does not hold."""
    from embedded_aws.iam import authenticate

    signature = authenticate.read(environ)
    if signature is None or signature.service != service:
        raise Forbidden
    return authenticate.authenticate(signature, environ, body, runtime.get(Gate).principal)


def context(environ: Mapping[str, Any], region: str, principal: Principal) -> dict[str, Any]:
    """Condition keys of a request."""
    return {
        "aws:securetransport": "true",
        "aws:requestedregion": region,
        "aws:sourceip": environ.get("REMOTE_ADDR", "127.0.0.1"),
        **principal.context(),
    }


def policy(backend: EmbeddedLambdaBackend, name: str, qualifier: str) -> str | None:
    """The resource policy of a function, or of its version or alias; None without one."""
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
    """The event of payload format 2.0 for a request. account: as the context tells it of unsigned ones.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
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
    about: dict[str, Any] = {
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
        "routeKey": route_key,
        "stage": stage,
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }
    if principal.kind != "Anonymous":
        about["accountId"] = ACCOUNT_ID
        about["authorizer"] = {
            "iam": {
                "accountId": ACCOUNT_ID,
                "callerId": principal.user_id,
                "userArn": principal.arn,
                "userId": principal.user_id,
            }
        }
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": environ["PATH_INFO"],
        "rawQueryString": environ.get("QUERY_STRING", ""),
        "headers": headers,
        "requestContext": about,
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


def answer(payload: bytes, content_type: str, **headers: str) -> Answer:
    """The HTTP answer that a function's result stands for: as it says, or its JSON as it is.

    content_type: where the result has a status, but no content type. headers: beside those of the result.
    Raises ValueError for a status or a body that cannot be sent.
    """
    result = json.loads(payload or b"null")
    own = {name.replace("_", "-"): value for name, value in headers.items()}
    if not isinstance(result, dict) or "statusCode" not in result:
        listed = list(({"content-type": "application/json"} | own).items())
        return "200 OK", listed, result.encode() if isinstance(result, str) else payload
    named = {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    named = {"content-type": content_type} | own | named
    body = result.get("body") or ""
    status = int(result["statusCode"])
    if not 100 <= status <= 599:
        raise ValueError(f"{status} is no HTTP status")
    content = base64.b64decode(body) if result.get("isBase64Encoded") else str(body).encode()
    named.pop("content-length", None)  # of what is sent, which the server knows
    cookies = [("set-cookie", str(cookie)) for cookie in result.get("cookies") or []]
    return f"{status} {phrase(status)}", list(named.items()) + cookies, content


def page(status: int, document: dict[str, str]) -> Answer:
    headers = [("content-type", "application/json")]
    return f"{status} {phrase(status)}", headers, json.dumps(document).encode()


def phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
