"""Events, requests and responses."""

import pytest

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
def test_parse_returns_the_request(event, attributes):
    request = parse(event)
    assert request.custom_attributes == attributes
    assert event[request.source] == request.value


@pytest.mark.parametrize(
    "event, field",
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
def test_parse_names_the_invalid_field(event, field):
    with pytest.raises(BadRequest, match=field):
        parse(event)


def test_success_and_failure_return_responses():
    response = {"predictions": [{"label": "3", "probability": 0.9}], "model": {"classes": 10}, "secret": 1}
    assert success(response, "e") == {
        "statusCode": 200,
        "body": {"predictions": response["predictions"], "endpoint": "e", "model": {"classes": 10}},
    }
    assert success(response | {"scores": {"3": 1.5}}, "e")["body"]["scores"] == {"3": 1.5}
    assert failure(ImageTooLarge("big")) == {
        "statusCode": 413,
        "body": {"error": {"type": "ImageTooLarge", "message": "big"}},
    }
    for wrong in ([], {}, {"predictions": 3}, None):
        with pytest.raises(EndpointFailed):
            success(wrong, "e")
