"""S3 URIs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from embedded_aws.s3_uri import split


@given(st.from_regex(r"[a-z0-9.-]{3,63}", fullmatch=True), st.text())
def test_every_key_is_returned_as_it_is(bucket: str, key: str) -> None:
    assert split(f"s3://{bucket}/{key}") == (bucket, key)


def test_the_key_may_be_missing() -> None:
    assert split("s3://bucket") == ("bucket", "")
