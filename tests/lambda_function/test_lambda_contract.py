"""The event and response contract, and the settings."""

import pytest

from configuration import Settings
from contract import BadRequest, EndpointFailed, ImageTooLarge, failure, parse, success


@pytest.mark.parametrize(
    "event, attributes",
    [
        ({"url": "https://a.example/x.png"}, ""),
        ({"image": "aGk=", "top_k": 3}, "top_k=3"),
        ({"s3": "s3://b/k", "scores": True}, "scores=true"),
        ({"image": "aGk=", "top_k": 1, "scores": True}, "top_k=1,scores=true"),
        ({"image": "aGk=", "top_k": None, "scores": False}, ""),
    ],
)
def test_requests(event, attributes):
    request = parse(event)
    assert request.custom_attributes == attributes
    assert event[request.source] == request.value


@pytest.mark.parametrize(
    "event, names",
    [
        ([], "list"),
        (None, "NoneType"),
        ("https://a.example", "str"),
        ({}, "exactly one"),
        ({"url": "https://a.example", "image": "aGk="}, "exactly one"),
        ({"url": ""}, "url"),
        ({"url": 5}, "url"),
        ({"image": None}, "image"),
        ({"s3": ["s3://b/k"]}, "s3"),
        ({"image": "aGk=", "top_k": 0}, "top_k"),
        ({"image": "aGk=", "top_k": 1001}, "top_k"),
        ({"image": "aGk=", "top_k": True}, "top_k"),
        ({"image": "aGk=", "top_k": "5"}, "top_k"),
        ({"image": "aGk=", "top_k": 2.0}, "top_k"),
        ({"image": "aGk=", "scores": 1}, "scores"),
        ({"image": "aGk=", "endpoint": "other"}, "endpoint"),
    ],
)
def test_bad_events_name_what_is_wrong(event, names):
    with pytest.raises(BadRequest, match=names):
        parse(event)


def test_responses():
    answer = {"predictions": [{"label": "3", "probability": 0.9}], "model": {"classes": 10}, "secret": 1}
    assert success(answer, "e") == {
        "statusCode": 200,
        "body": {"predictions": answer["predictions"], "endpoint": "e", "model": {"classes": 10}},
    }
    assert success(answer | {"scores": {"3": 1.5}}, "e")["body"]["scores"] == {"3": 1.5}
    assert failure(ImageTooLarge("big")) == {
        "statusCode": 413,
        "body": {"error": {"type": "ImageTooLarge", "message": "big"}},
    }
    for wrong in ([], {}, {"predictions": 3}, None):
        with pytest.raises(EndpointFailed):
            success(wrong, "e")


def test_settings():
    settings = Settings.read({"ENDPOINT_NAME": "image-classifier-local"})
    assert settings.max_image_bytes == 4_500_000 and settings.allowed_url_hosts == ()
    assert settings.image_bucket == "" and settings.log_level == "INFO"
    full = Settings.read(
        {
            "ENDPOINT_NAME": "e",
            "MAX_IMAGE_BYTES": "100",
            "ALLOWED_URL_HOSTS": " Pictures.example, *.cdn.example ,",
            "IMAGE_BUCKET": "b",
            "IMAGE_PREFIX": "datasets/",
            "LOG_LEVEL": "ERROR",
        }
    )
    assert full == Settings("e", 100, ("pictures.example", "*.cdn.example"), "b", "datasets/", "ERROR")


@pytest.mark.parametrize(
    "change, names",
    [
        ({"ENDPOINT_NAME": ""}, "ENDPOINT_NAME"),
        ({"ENDPOINT_NAME": "has space"}, "has space"),
        ({"ENDPOINT_NAME": "x" * 64}, "ENDPOINT_NAME"),
        ({"MAX_IMAGE_BYTES": "lots"}, "lots"),
        ({"MAX_IMAGE_BYTES": "0"}, "MAX_IMAGE_BYTES"),
        ({"MAX_IMAGE_BYTES": "7000000"}, "7000000"),
        ({"ALLOWED_URL_HOSTS": "https://a.example"}, "https://a.example"),
        ({"ALLOWED_URL_HOSTS": "*"}, r"'\*'"),
        ({"LOG_LEVEL": "LOUD"}, "LOUD"),
    ],
)
def test_wrong_settings_stop_the_start(change, names):
    with pytest.raises(ValueError, match=names):
        Settings.read({"ENDPOINT_NAME": "e"} | change)
