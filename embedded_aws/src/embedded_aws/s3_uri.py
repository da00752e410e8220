"""S3 URIs. They are no URLs: `#`, `?` and `%` are characters of the key."""

from __future__ import annotations

SCHEME = "s3://"


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI, the key as it is."""
    bucket, _, key = uri.removeprefix(SCHEME).partition("/")
    return bucket, key
