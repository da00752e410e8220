"""Images from URLs, base64 and S3: limits and content types."""

import base64
import io

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber
from PIL import Image

from contract import (
    BadRequest,
    ImageTooLarge,
    Request,
    SourceForbidden,
    SourceNotFound,
    Throttled,
    UnsupportedImage,
)
from image_formats import MEDIA_TYPES
from image_source import ImageSource, media_type


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(out, kind)
    return out.getvalue()


PNG = encoded("PNG")


class FakeFetcher:
    """A fetcher that returns fixed bytes and a fixed content type."""

    def __init__(self, data: bytes, content_type: str):
        self.result = data, content_type

    def get(self, url, max_bytes):
        return self.result


@pytest.fixture
def s3():
    client = boto3.client("s3", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        yield client, stub
        stub.assert_no_pending_responses()


def source(client=None, max_bytes=1000, bucket="pictures", prefix="datasets/") -> ImageSource:
    return ImageSource(max_bytes, None, client, bucket, prefix)


@pytest.mark.parametrize("kind", MEDIA_TYPES)
def test_media_type_depends_on_the_first_bytes(kind):
    assert media_type(encoded(kind)) == MEDIA_TYPES[kind]


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"BM is text", b"RIFF1234WAVE", b"\x89PNG", encoded("ICO")])
def test_media_type_refuses_other_formats(data):
    with pytest.raises(UnsupportedImage):
        media_type(data)


@pytest.mark.parametrize(
    "kind, declared", [("PNG", "image/png"), ("JPEG", "image/jpg"), ("JPEG", "image/jpeg")]
)
def test_a_url_with_a_matching_content_type_is_read(kind, declared):
    reader = ImageSource(1000, FakeFetcher(encoded(kind), declared))
    assert reader.read(Request("url", "https://x.example")) == (encoded(kind), f"image/{kind.lower()}")


@pytest.mark.parametrize(
    "declared", ["", "image/jpeg", "text/html", "application/octet-stream", "image/svg+xml"]
)
def test_a_url_with_another_content_type_is_refused(declared):
    with pytest.raises(UnsupportedImage, match="content type"):
        ImageSource(1000, FakeFetcher(PNG, declared)).read(Request("url", "https://x.example"))


def test_a_url_with_html_and_an_image_content_type_is_refused():
    with pytest.raises(UnsupportedImage):
        ImageSource(1000, FakeFetcher(b"<html>", "image/png")).read(Request("url", "https://x.example"))


def test_base64_is_decoded_strictly():
    text = base64.b64encode(PNG).decode()
    assert source().read(Request("image", text)) == (PNG, "image/png")
    for invalid in (text[:-1], text + "\n", "data:image/png;base64," + text, "%%%%", "é"):
        with pytest.raises(BadRequest, match="not base64"):
            source().read(Request("image", invalid))


@pytest.mark.parametrize("extra", range(4))
def test_the_base64_limit_is_exact(extra):
    data = PNG + bytes(extra)
    text = base64.b64encode(data).decode()
    assert source(max_bytes=len(data)).read(Request("image", text))[0] == data
    with pytest.raises(ImageTooLarge):
        source(max_bytes=len(data) - 1).read(Request("image", text))


def s3_object(data: bytes) -> dict:
    return {"Body": StreamingBody(io.BytesIO(data), len(data)), "ContentLength": len(data)}


def test_an_s3_object_is_read(s3):
    client, stub = s3
    stub.add_response("get_object", s3_object(PNG), {"Bucket": "pictures", "Key": "datasets/a b/é.png"})
    assert source(client).read(Request("s3", "s3://pictures/datasets/a b/é.png")) == (PNG, "image/png")


@pytest.mark.parametrize(
    "uri, error",
    [
        ("s3://other/datasets/a.png", SourceForbidden),
        ("s3://pictures-2/datasets/a.png", SourceForbidden),
        ("s3://pictures/training/model.tar.gz", SourceForbidden),
        ("s3://pictures/dataset", SourceForbidden),
        ("s3://pictures/datasets/../training/x", BadRequest),
        ("s3://pictures/datasets/./x", BadRequest),
        ("s3://pictures/", BadRequest),
        ("s3://pictures", BadRequest),
        ("s3:///datasets/a.png", BadRequest),
        ("pictures/datasets/a.png", BadRequest),
        ("https://pictures/datasets/a.png", BadRequest),
    ],
)
def test_other_s3_locations_are_refused(s3, uri, error):
    with pytest.raises(error):
        source(s3[0]).read(Request("s3", uri))


def test_without_a_bucket_s3_is_refused():
    with pytest.raises(SourceForbidden):
        source(bucket="", prefix="").read(Request("s3", "s3://pictures/datasets/a.png"))


def test_a_large_s3_object_is_refused_before_its_body_is_read(s3):
    client, stub = s3

    class Unread(StreamingBody):
        def read(self, amt=None):
            raise AssertionError("the body was read")

    stub.add_response("get_object", {"Body": Unread(io.BytesIO(), 0), "ContentLength": 1001})
    with pytest.raises(ImageTooLarge):
        source(client).read(Request("s3", "s3://pictures/datasets/a.png"))


@pytest.mark.parametrize(
    "code, error",
    [
        ("NoSuchKey", SourceNotFound),
        ("AccessDenied", SourceForbidden),
        ("SlowDown", Throttled),
        ("InternalError", ClientError),
    ],
)
def test_errors_of_s3_are_translated(s3, code, error):
    client, stub = s3
    stub.add_client_error("get_object", code, "arn:aws:iam::123456789012:role/x may not")
    with pytest.raises(error) as raised:
        source(client).read(Request("s3", "s3://pictures/datasets/a.png"))
    assert error is ClientError or "arn:" not in str(raised.value)
