"""Requests by a function URL or an HTTP API: payload format 2.0 in, status, headers and JSON text out."""

import base64
import importlib
import json
import sys
from types import SimpleNamespace

import pytest

import http_event
from contract import BadRequest, MethodNotAllowed

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)
ENCODED = base64.b64encode(PNG).decode()


def request(body="", method="POST", content_type="application/json", encoded=False, **query) -> dict:
    """An event as AWS makes it."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "headers": {"content-type": content_type, "host": "id.lambda-url.eu-west-1.on.aws"},
        "requestContext": {"http": {"method": method, "path": "/"}, "requestId": "id"},
        "isBase64Encoded": encoded,
        **({"queryStringParameters": query} if query else {}),
        **({"body": body} if body else {}),
    }


def encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "event, read",
    [
        (request('{"url": "https://a.example/b.png"}'), {"url": "https://a.example/b.png"}),
        (request(encode('{"s3": "s3://b/k"}'), encoded=True), {"s3": "s3://b/k"}),
        (request("[1]", content_type="text/plain"), [1]),  # curl's own content type would do as well
        (request(ENCODED, content_type="image/png", encoded=True), {"image": ENCODED}),
        (
            request(ENCODED, content_type="image/png", encoded=True, top_k="3", scores="true"),
            {"image": ENCODED, "top_k": 3, "scores": True},
        ),
        (
            request(ENCODED, content_type="IMAGE/PNG", encoded=True, top_k="many"),
            {"image": ENCODED, "top_k": "many"},
        ),
        (request("<svg/>", content_type="image/svg+xml"), {"image": encode("<svg/>")}),
    ],
)
def test_the_body_is_the_event(event, read):
    assert http_event.is_http(event)
    assert http_event.read(event) == read


@pytest.mark.parametrize(
    "event",
    [{"image": "x"}, {"version": "2.0"}, {"version": "1.0", "requestContext": {"http": {}}}, [], None],
)
def test_what_a_caller_of_invoke_wrote_is_no_request(event):
    assert not http_event.is_http(event)


@pytest.mark.parametrize(
    "body, encoded", [("", False), ("{", False), ("!", True), (encode("{"), True), ("[" * 100_000, False)]
)
def test_a_body_that_is_no_json_is_refused(body, encoded):
    with pytest.raises(BadRequest, match="must be JSON, or a picture"):
        http_event.read(request(body, encoded=encoded))


def test_only_posts_are_answered():
    with pytest.raises(MethodNotAllowed, match="GET is not answered; POST"):
        http_event.read(request(method="GET"))


@pytest.fixture
def handler(monkeypatch):
    """The handler over an endpoint that answers with what it was asked."""
    monkeypatch.setenv("ENDPOINT_NAME", "image-classifier-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.delitem(sys.modules, "handler", raising=False)
    module = importlib.import_module("handler")
    monkeypatch.setattr(
        module, "invoke", lambda client, endpoint, data, *asked: {"predictions": [len(data), *asked]}
    )
    yield lambda event: module.handler(event, SimpleNamespace(aws_request_id="request-1"))
    sys.modules.pop("handler")


@pytest.mark.parametrize(
    "event",
    [
        request(json.dumps({"image": ENCODED, "top_k": 2})),
        request(ENCODED, content_type="image/png", encoded=True, top_k="2"),
    ],
)
def test_a_picture_is_classified_over_http(handler, event):
    answer = handler(event)
    assert (answer["statusCode"], answer["headers"]) == (200, {"content-type": "application/json"})
    assert json.loads(answer["body"])["predictions"] == [len(PNG), "image/png", "top_k=2"]


@pytest.mark.parametrize(
    "event, status, kind",
    [
        (request("{}"), 400, "BadRequest"),
        (request(ENCODED, content_type="image/png", encoded=True, top_k="0"), 400, "BadRequest"),
        (request(ENCODED, content_type="image/png", encoded=True, colour="red"), 400, "BadRequest"),
        (request('{"s3": "s3://other/a.png"}'), 403, "SourceForbidden"),
        (request(method="PUT"), 405, "MethodNotAllowed"),
        (request(encode("GIF89a"), content_type="image/gif", encoded=True), 415, "UnsupportedImage"),
    ],
)
def test_errors_have_their_status(handler, event, status, kind):
    answer = handler(event)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["type"]) == (status, kind)
    assert answer["headers"].get("allow") == ("POST" if status == 405 else None)
