"""Read an image from a URL, base64 text or S3, within the function's limits."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from contract import (
    BadRequest,
    ImageTooLarge,
    Request,
    SourceForbidden,
    SourceNotFound,
    Throttled,
    UnsupportedImage,
)
from https_fetch import Fetcher
from image_formats import ALIASES, HEAD_BYTES, MEDIA_TYPES, NAMES, identify


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Reads images.

    max_bytes: largest image, in bytes.
    fetcher: downloads URLs.
    s3: boto3 client; None without a bucket.
    bucket: the only bucket to read from; empty for none.
    prefix: prefix of the keys that may be read.
    """

    max_bytes: int
    fetcher: Fetcher
    s3: Any = None
    bucket: str = ""
    prefix: str = ""

    def read(self, request: Request) -> tuple[bytes, str]:
        """Return the image's bytes and media type. Raises a FunctionError."""
        if request.source == "url":
            data, declared = self.fetcher.get(request.value, self.max_bytes)
            found = media_type(data)
            if ALIASES.get(declared, declared) != found:
                raise UnsupportedImage("the URL's content type does not match its image")
            return data, found
        data = self._base64(request.value) if request.source == "image" else self._s3(request.value)
        return data, media_type(data)

    def _base64(self, text: str) -> bytes:
        # Check before decoding: 4 characters are 3 bytes, minus up to 2 bytes of padding.
        if len(text) // 4 * 3 - 2 > self.max_bytes:
            raise self._too_large()
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadRequest("image is not base64") from error
        if len(data) > self.max_bytes:
            raise self._too_large()
        return data

    def _s3(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket or not key:
            raise BadRequest("s3 must be s3://bucket/key")
        if not self.bucket or bucket != self.bucket or not key.startswith(self.prefix):
            raise SourceForbidden("images from this S3 location are not allowed")
        if {".", ".."} & set(key.split("/")):
            raise BadRequest("the s3 key must not have . or .. as a part")  # HTTP clients can resolve them
        try:
            response = self.s3.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in ("NoSuchKey", "404"):
                raise SourceNotFound("the S3 object does not exist") from error
            if code in ("AccessDenied", "403", "InvalidObjectState"):
                raise SourceForbidden("the S3 object cannot be read") from error
            if code in ("SlowDown", "ThrottlingException"):
                raise Throttled("S3 has too many requests; retry later") from error
            raise
        with response["Body"] as body:
            if response["ContentLength"] > self.max_bytes:
                raise self._too_large()
            data: bytes = body.read()
        return data

    def _too_large(self) -> ImageTooLarge:
        return ImageTooLarge(f"the image is over {self.max_bytes:,} bytes")


def media_type(data: bytes) -> str:
    """Return the media type of an image from its content. Raises UnsupportedImage."""
    kind = identify(data[:HEAD_BYTES])
    if kind is None:
        raise UnsupportedImage(f"the image is none of {NAMES}")
    return MEDIA_TYPES[kind]
