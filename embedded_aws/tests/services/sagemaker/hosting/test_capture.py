"""Data capture: records in S3, written with the role of the model."""

import base64
import json
import re
from email.message import Message

import pytest

from embedded_aws.services.sagemaker.hosting.capture import captured
from hosting_kit import LIST, READ, Hosting, variant

WRITE = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::hosting-models/captured/*"}
CONFIG = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://hosting-models/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
}


def test_content_of_listed_types_is_text_and_other_content_base64():
    headers = Message()
    headers["Content-Type"] = "application/json; charset=utf-8"
    record = captured(CONFIG, {"Content-Type": "image/png"}, b"\x89PNG", headers, b'{"a": 1}')
    assert record["captureData"] == {
        "endpointInput": {
            "observedContentType": "image/png",
            "mode": "INPUT",
            "data": "iVBORw==",
            "encoding": "BASE64",
        },
        "endpointOutput": {
            "observedContentType": "application/json; charset=utf-8",
            "mode": "OUTPUT",
            "data": '{"a": 1}',
            "encoding": "JSON",
        },
    }
    only_output = {**CONFIG, "CaptureOptions": [{"CaptureMode": "Output"}]}
    assert list(captured(only_output, {}, b"", headers, b"")["captureData"]) == ["endpointOutput"]


@pytest.fixture(scope="module")
def aws(fast_embedded_aws):
    running = Hosting(fast_embedded_aws)
    running.model("captured")
    yield running
    running.delete_endpoints()


@pytest.mark.slow
def test_invocations_are_captured_with_the_role_of_the_model(aws):
    aws.allow(READ, LIST, WRITE)
    aws.config("captured", variant("captured"), DataCaptureConfig=CONFIG)
    described = aws.endpoint("captured", "captured")["DataCaptureConfig"]
    assert (described["CaptureStatus"], described["CurrentSamplingPercentage"]) == ("Started", 100)
    s3 = aws.client("s3")
    for _ in range(3):
        aws.ask(
            "captured", b"picture", ContentType="image/png", InferenceId="mine", CustomAttributes="top_k=3"
        )

    def lines() -> list[dict]:
        listed = s3.list_objects_v2(Bucket="hosting-models", Prefix="captured/").get("Contents", [])
        assert all(
            re.fullmatch(
                r"captured/captured/AllTraffic/\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[\w-]+\.jsonl", o["Key"]
            )
            for o in listed
        )
        bodies = [s3.get_object(Bucket="hosting-models", Key=o["Key"])["Body"].read() for o in listed]
        return [json.loads(line) for body in bodies for line in body.splitlines()]

    found = aws.until(lambda: (seen := lines()) and len(seen) == 3 and seen)
    assert {base64.b64decode(f["captureData"]["endpointInput"]["data"]) for f in found} == {b"picture"}
    assert json.loads(found[0]["captureData"]["endpointOutput"]["data"])["size"] == 7
    assert found[0]["eventMetadata"]["inferenceId"] == "mine"
    assert found[0]["eventMetadata"]["customAttributes"] == ["top_k=3"]


@pytest.mark.slow
def test_shadow_responses_are_captured_separately(aws):
    aws.allow(READ, LIST, WRITE)
    aws.model("captured-shadow", VERSION="shadow")
    aws.config(
        "captured-twice",
        variant("captured"),
        DataCaptureConfig=CONFIG,
        ShadowProductionVariants=[variant("captured-shadow", "Shadow")],
    )
    aws.endpoint("captured-twice", "captured-twice")
    assert aws.ask("captured-twice")["version"] == "1"
    s3 = aws.client("s3")

    def version_in(name: str) -> str | None:
        listed = s3.list_objects_v2(Bucket="hosting-models", Prefix=f"captured/captured-twice/{name}/")
        bodies = [
            s3.get_object(Bucket="hosting-models", Key=o["Key"])["Body"].read()
            for o in listed.get("Contents", [])
        ]
        line = json.loads(bodies[0])["captureData"]["endpointOutput"]["data"] if bodies else None
        return line and json.loads(line)["version"]

    assert aws.until(lambda: version_in("AllTraffic")) == "1"
    assert aws.until(lambda: version_in("Shadow")) == "shadow"


@pytest.mark.slow
def test_requests_succeed_without_permission_to_capture(aws):
    aws.allow(READ, LIST)
    config = {**CONFIG, "DestinationS3Uri": "s3://hosting-models/forbidden"}
    aws.config("forbidden", variant("captured"), DataCaptureConfig=config)
    aws.endpoint("forbidden", "forbidden")
    assert aws.ask("forbidden")["size"] == 7
    log = aws.aws.home / "log" / "service.log"
    aws.until(lambda: "data capture of forbidden to s3://hosting-models/forbidden failed" in log.read_text())
    listed = aws.client("s3").list_objects_v2(Bucket="hosting-models", Prefix="forbidden/")
    assert "Contents" not in listed
