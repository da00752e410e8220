"""The handler with a stubbed endpoint: responses, error mapping, log lines."""

import base64
import importlib
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.response import StreamingBody
from botocore.stub import Stubber

FOLDER = Path(__file__).parents[2] / "lambda_function"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)
EVENT = {"image": base64.b64encode(PNG).decode()}
CONTEXT = SimpleNamespace(aws_request_id="request-1")
RESULT = {
    "predictions": [{"label": "3", "probability": 0.98}],
    "model": {"architecture": "small_cnn", "classes": 10},
}
SECRET = "arn:aws:sts::123456789012:assumed-role/inside"


@pytest.fixture
def function(monkeypatch):
    """The handler module, imported with Terraform's environment variables."""
    for name, value in {
        "ENDPOINT_NAME": "image-classifier-test",
        "IMAGE_BUCKET": "pictures",
        "IMAGE_PREFIX": "datasets/",
        "ALLOWED_URL_HOSTS": "",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "handler", raising=False)
    module = importlib.import_module("handler")
    yield module
    sys.modules.pop("handler")


@pytest.fixture
def runtime(function):
    with Stubber(function.runtime) as stub:
        yield stub
        stub.assert_no_pending_responses()


def body(content: bytes) -> dict:
    return {"Body": StreamingBody(io.BytesIO(content), len(content))}


def test_an_image_is_classified_and_logged(function, runtime, capsys):
    runtime.add_response(
        "invoke_endpoint",
        body(json.dumps(RESULT | {"scores": {"3": 4.5}}).encode()),
        {
            "EndpointName": "image-classifier-test",
            "Body": PNG,
            "ContentType": "image/png",
            "Accept": "application/json",
            "CustomAttributes": "top_k=2,scores=true",
        },
    )
    response = function.handler(EVENT | {"top_k": 2, "scores": True}, CONTEXT)
    assert response == {
        "statusCode": 200,
        "body": RESULT | {"endpoint": "image-classifier-test", "scores": {"3": 4.5}},
    }
    json.dumps(response)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    logged = json.loads(lines[0])
    assert logged["milliseconds"] >= 0
    del logged["milliseconds"]
    assert logged == {
        "level": "INFO",
        "event": "classify",
        "request_id": "request-1",
        "status": 200,
        "source": "image",
        "bytes": len(PNG),
        "media_type": "image/png",
        "predictions": 1,
    }


def test_without_options_no_attributes_are_sent(function, runtime):
    expected = {"EndpointName": "image-classifier-test", "Body": PNG}
    expected |= {"ContentType": "image/png", "Accept": "application/json"}
    runtime.add_response("invoke_endpoint", body(json.dumps(RESULT).encode()), expected)
    assert function.handler(EVENT, CONTEXT)["statusCode"] == 200


def model_error(status, message):
    return {
        "service_error_code": "ModelError",
        "service_message": f"Received error from primary. See {SECRET}",
        "http_status_code": 424,
        "modeled_fields": {"OriginalStatusCode": status, "OriginalMessage": message, "LogStreamArn": SECRET},
    }


@pytest.mark.parametrize(
    "original, message, status, kind, shown",
    [
        (400, '{"error": "the image cannot be decoded"}', 400, "ModelRefused", "the image cannot be decoded"),
        (413, '{"error": "60,000,000 pixels"}', 413, "ModelRefused", "60,000,000 pixels"),
        (415, f"Traceback: {SECRET}", 415, "ModelRefused", "the model refused the image"),
        (422, '{"error": {"deep": 1}}', 422, "ModelRefused", "the model refused the image"),
        (500, f"Traceback: {SECRET}", 502, "EndpointFailed", "the model failed"),
        (503, "", 502, "EndpointFailed", "the model failed"),
        (504, "", 504, "EndpointTimeout", "the model did not respond in time"),
    ],
)
def test_errors_of_the_model_are_translated(function, runtime, original, message, status, kind, shown):
    runtime.add_client_error("invoke_endpoint", **model_error(original, message))
    response = function.handler(EVENT, CONTEXT)
    assert response == {"statusCode": status, "body": {"error": {"type": kind, "message": shown}}}


def test_a_long_message_of_the_model_is_truncated(function, runtime):
    runtime.add_client_error("invoke_endpoint", **model_error(400, json.dumps({"error": "x" * 5000})))
    assert len(function.handler(EVENT, CONTEXT)["body"]["error"]["message"]) == 200


def test_sagemaker_s_time_limit_is_a_timeout(function, runtime):
    runtime.add_client_error(
        "invoke_endpoint", "ModelError", "Received server error (0) from primary: Your invocation timed out"
    )
    assert function.handler(EVENT, CONTEXT)["statusCode"] == 504


@pytest.mark.parametrize(
    "code, status",
    [
        ("ThrottlingException", 429),
        ("ModelNotReadyException", 429),
        ("ValidationError", 502),
        ("AccessDeniedException", 502),
        ("ServiceUnavailable", 502),
        ("InternalFailure", 502),
    ],
)
def test_errors_of_aws_are_logged_and_not_shown_to_the_caller(function, runtime, capsys, code, status):
    runtime.add_client_error("invoke_endpoint", code, f"{SECRET} is not authorized")
    response = function.handler(EVENT, CONTEXT)
    assert response["statusCode"] == status
    assert "arn:" not in json.dumps(response) and code not in json.dumps(response)
    logged = json.loads(capsys.readouterr().out)
    assert code in logged["cause"] and logged["level"] == ("ERROR" if status >= 500 else "WARNING")


@pytest.mark.parametrize(
    "error, status",
    [
        (ReadTimeoutError(endpoint_url="https://inside"), 504),
        (ConnectTimeoutError(endpoint_url="https://inside"), 504),
        (EndpointConnectionError(endpoint_url="https://inside"), 502),
    ],
)
def test_connection_errors_do_not_reveal_the_endpoint_s_url(function, monkeypatch, error, status):
    def fail(**_):
        raise error

    monkeypatch.setattr(function.runtime, "invoke_endpoint", fail)
    response = function.handler(EVENT, CONTEXT)
    assert response["statusCode"] == status and "inside" not in json.dumps(response)


@pytest.mark.parametrize("content", [b"not json", b"[]", b'{"predictions": null}', b"\xff"])
def test_an_invalid_response_of_the_endpoint_is_an_error(function, runtime, content):
    runtime.add_response("invoke_endpoint", body(content))
    assert function.handler(EVENT, CONTEXT)["statusCode"] == 502


@pytest.mark.parametrize(
    "event, status, kind",
    [
        ({}, 400, "BadRequest"),
        ({"url": "http://pictures.example/a.png"}, 400, "BadRequest"),
        ({"url": "https://169.254.169.254/latest/meta-data/iam/"}, 403, "SourceForbidden"),
        ({"s3": "s3://other/a.png"}, 403, "SourceForbidden"),
        ({"image": base64.b64encode(b"<svg/>").decode()}, 415, "UnsupportedImage"),
        ({"image": "A" * 6_100_000}, 413, "ImageTooLarge"),
    ],
)
def test_invalid_events_never_reach_the_endpoint(function, runtime, event, status, kind):
    response = function.handler(event, CONTEXT)
    assert (response["statusCode"], response["body"]["error"]["type"]) == (status, kind)


def test_an_internal_error_of_s3_is_a_failed_source(function):
    with Stubber(function.images.s3) as s3:
        s3.add_client_error("get_object", "InternalError", SECRET)
        response = function.handler({"s3": "s3://pictures/datasets/a.png"}, CONTEXT)
    assert response["statusCode"] == 424 and "arn:" not in json.dumps(response)


def test_the_log_has_only_the_host_of_a_url(function, capsys):
    function.handler({"url": "https://user:hunter2@pictures.example/private?token=xyzzy"}, CONTEXT)
    line = capsys.readouterr().out
    assert json.loads(line)["host"] == "pictures.example"
    assert not any(word in line for word in ("token", "xyzzy", "private", "hunter2"))


def test_a_bug_raises_its_exception(function, monkeypatch):
    monkeypatch.setattr(function, "parse", lambda event: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        function.handler(EVENT, CONTEXT)


def start(**environment) -> subprocess.CompletedProcess:
    """Import the handler in a new process in the function's folder, as Lambda does."""
    environment = {"AWS_DEFAULT_REGION": "eu-west-1", **environment}
    code = "import handler; print(handler.runtime.meta.service_model.service_name, handler.images.s3)"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=60
    )


def test_the_import_creates_the_clients():
    started = start(ENDPOINT_NAME="e")
    assert started.stdout.split() == ["sagemaker-runtime", "None"], started.stderr


def test_the_import_fails_without_an_endpoint():
    started = start()
    assert started.returncode != 0 and "ENDPOINT_NAME is ''" in started.stderr
