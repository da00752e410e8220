"""HTTP requests of a function URL or an HTTP API, and their responses."""

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
    """Return an event in payload format 2.0."""
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
        (request("[1]", content_type="text/plain"), [1]),  # any content type is read as JSON
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
def test_read_returns_the_function_s_event(event, read):
    assert http_event.is_http(event)
    assert http_event.read(event) == read


@pytest.mark.parametrize(
    "event",
    [{"image": "x"}, {"version": "2.0"}, {"version": "1.0", "requestContext": {"http": {}}}, [], None],
)
def test_an_event_of_invoke_is_not_an_http_request(event):
    assert not http_event.is_http(event)


@pytest.mark.parametrize(
    "body, encoded", [("", False), ("{", False), ("!", True), (encode("{"), True), ("[" * 100_000, False)]
)
def test_a_body_that_is_not_json_is_refused(body, encoded):
    with pytest.raises(BadRequest, match="must be JSON, or an image"):
        http_event.read(request(body, encoded=encoded))


def test_methods_other_than_post_are_refused():
    with pytest.raises(MethodNotAllowed, match="GET is not allowed; POST"):
        http_event.read(request(method="GET"))


@pytest.fixture
def handler(monkeypatch):
    """The handler, with an endpoint that returns its request."""
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
def test_an_image_is_classified_over_http(handler, event):
    response = handler(event)
    assert (response["statusCode"], response["headers"]) == (200, {"content-type": "application/json"})
    assert json.loads(response["body"])["predictions"] == [len(PNG), "image/png", "top_k=2"]


@pytest.mark.parametrize(
    "event, status, kind",
    [
        (request("{}"), 400, "BadRequest"),
        (request(ENCODED, content_type="image/png", encoded=True, top_k="0"), 400, "BadRequest"),
        (request(ENCODED, content_type="image/png", encoded=True, color="red"), 400, "BadRequest"),
        (request('{"s3": "s3://other/a.png"}'), 403, "SourceForbidden"),
        (request(method="PUT"), 405, "MethodNotAllowed"),
        (request(encode("<svg/>"), content_type="image/svg+xml", encoded=True), 415, "UnsupportedImage"),
    ],
)
def test_an_error_sets_the_http_status(handler, event, status, kind):
    response = handler(event)
    assert (response["statusCode"], json.loads(response["body"])["error"]["type"]) == (status, kind)
    assert response["headers"].get("allow") == ("POST" if status == 405 else None)
