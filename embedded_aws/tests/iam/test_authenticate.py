"""Signatures: botocore's are accepted, forged ones refused."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from embedded_aws.iam import authenticate
from embedded_aws.iam.errors import Refusal
from embedded_aws.iam.principals import Principal

KEY, SECRET, TOKEN = "AKIAEXAMPLEEXAMPLE22", "secret/secret+secret", "to/ken=="
USER = Principal(
    "User", "arn:aws:iam::123456789012:user/u", "arn:aws:iam::123456789012:user/u", secret_access_key=SECRET
)


def environ_of(request: Any) -> dict[str, Any]:
    url = urlsplit(request.url)
    environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(url.path),
        "QUERY_STRING": url.query,
        "RAW_URI": url.path + (f"?{url.query}" if url.query else ""),
        "HTTP_HOST": url.netloc,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def sign(
    method: str,
    path: str,
    body: bytes = b"",
    service: str = "s3",
    auth: Any = None,
    token: str | None = None,
    **headers: str,
) -> dict[str, Any]:
    request = AWSRequest(method, f"http://127.0.0.1:5005{path}", data=body, headers=headers)
    kind = auth or (S3SigV4Auth if service == "s3" else SigV4Auth)
    kind(Credentials(KEY, SECRET, token), service, "us-east-1").add_auth(request)
    return environ_of(request.prepare())


def check(
    environ: dict[str, Any], body: bytes = b"", principal: Principal | None = USER, now: Any = None
) -> Principal:
    signature = authenticate.read(environ)
    assert signature is not None
    return authenticate.authenticate(
        signature, environ, body, lambda key: principal if key == KEY else None, now
    )


def refused(*arguments: Any, **more: Any) -> str:
    with pytest.raises(Refusal) as caught:
        check(*arguments, **more)
    return caught.value.reason


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("s3", "/bucket/a%20key%2Bwith%20%C3%A9/x"),
        ("s3", "/bucket/a//b/../c"),
        ("s3", "/bucket?list-type=2&prefix=a%2Fb%20c&delimiter="),
        ("lambda", "/2015-03-31/functions/arn%3Aaws%3Alambda/invocations?Qualifier=live"),
        ("sagemaker", "/endpoints/e/invocations"),
        ("logs", "/"),
        ("iam", "/?Action=ListRoles&Version=2010-05-08"),
    ],
)
def test_botocore_signatures_are_valid_and_changed_requests_are_not(service: str, path: str) -> None:
    body = b"some body"
    environ = sign(
        "POST", path, body, service, **{"X-Amz-Meta-Spaces": "  a   b ", "Content-Type": "text/plain"}
    )
    assert check(environ, body) is USER
    assert refused(environ, body + b"!") in ("bad payload", "bad signature")
    assert refused({**environ, "RAW_URI": environ["RAW_URI"] + "x"}, body) == "bad signature"
    assert refused({**environ, "REQUEST_METHOD": "PUT"}, body) == "bad signature"
    assert refused({**environ, "HTTP_X_AMZ_META_SPACES": "other"}, body) == "bad signature"
    assert refused({**environ, "HTTP_HOST": "127.0.0.1:5006"}, body) == "bad signature"


def test_unknown_keys_wrong_secrets_wrong_tokens_and_expired_sessions_are_refused() -> None:
    environ = sign("GET", "/b/k")
    assert refused(environ, principal=None) == "unknown key"
    wrong = Principal("User", "u", "u", secret_access_key="other")
    assert refused(environ, principal=wrong) == "bad signature"

    session = Principal(
        "AssumedRole",
        "r",
        "r",
        secret_access_key=SECRET,
        session_token=TOKEN,
        expiration=datetime(2100, 1, 1),
    )
    assert refused(environ, principal=session) == "bad token"
    with_token = sign("GET", "/b/k", token=TOKEN)
    assert check(with_token, principal=session) is session
    assert refused(with_token) == "bad token"
    expired = Principal(
        "AssumedRole",
        "r",
        "r",
        secret_access_key=SECRET,
        session_token=TOKEN,
        expiration=datetime(2020, 1, 1),
    )
    assert refused(with_token, principal=expired) == "expired"


def test_a_signature_is_valid_for_fifteen_minutes() -> None:
    environ, now = sign("GET", "/b/k"), datetime.now(timezone.utc)
    assert check(environ, now=now + timedelta(minutes=14)) is USER
    assert refused(environ, now=now + timedelta(minutes=16)) == "skewed"
    assert refused(environ, now=now - timedelta(minutes=16)) == "skewed"


def test_presigned_urls_are_valid_until_they_expire() -> None:
    def presign(credentials: Any, service: str, region: str) -> S3SigV4QueryAuth:
        return S3SigV4QueryAuth(credentials, service, region, expires=60)

    environ, now = sign("GET", "/bucket/a%20b?versionId=1", auth=presign), datetime.now(timezone.utc)
    assert "HTTP_AUTHORIZATION" not in environ
    assert check(environ) is USER
    assert refused({**environ, "REQUEST_METHOD": "PUT"}) == "bad signature"
    assert refused(environ, now=now + timedelta(seconds=90)) == "denied"
    longer = environ["RAW_URI"].replace("X-Amz-Expires=60", "X-Amz-Expires=90")
    assert refused({**environ, "RAW_URI": longer}) == "bad signature"


@pytest.mark.parametrize(
    "header",
    [
        "Basic dXNlcjpwYXNz",
        "AWS AKIA:signature",
        "AWS4-HMAC-SHA256 Credential=x/y, SignedHeaders=host, Signature=" + "0" * 64,
        "AWS4-HMAC-SHA256 Credential=K/20260101/us-east-1/s3/aws4_request, SignedHeaders=x-amz-date, Signature="
        + "0" * 64,
    ],
)
def test_unreadable_authorization_is_refused(header: str) -> None:
    with pytest.raises(Refusal):
        authenticate.read({"HTTP_AUTHORIZATION": header, "HTTP_X_AMZ_DATE": "20260101T000000Z"})
    assert authenticate.read({"QUERY_STRING": "a=b"}) is None


def _chunked(environ: dict[str, Any], chunks: list[bytes]) -> bytes:
    """Return an aws-chunked body, signed as the S3 API reference describes."""
    signature = authenticate.read(environ)
    assert signature is not None
    key = b"AWS4" + SECRET.encode()
    for part in (signature.date, "us-east-1", "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    previous, body, empty = signature.signature, b"", hashlib.sha256(b"").hexdigest()
    for chunk in [*chunks, b""]:
        text = "\n".join(
            [
                "AWS4-HMAC-SHA256-PAYLOAD",
                signature.timestamp,
                signature.scope,
                previous,
                empty,
                hashlib.sha256(chunk).hexdigest(),
            ]
        )
        previous = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        body += f"{len(chunk):x};chunk-signature={previous}\r\n".encode() + chunk + b"\r\n"
    return body


def test_streamed_chunks_are_verified_one_by_one() -> None:
    class Streaming(S3SigV4Auth):
        def payload(self, request: Any) -> str:
            return "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

    environ = sign(
        "PUT",
        "/bucket/key",
        auth=Streaming,
        **{"X-Amz-Decoded-Content-Length": "9", "Content-Encoding": "aws-chunked"},
    )
    environ["HTTP_X_AMZ_CONTENT_SHA256"] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    body = _chunked(environ, [b"hello", b"more"])
    assert check(environ, body) is USER
    assert refused(environ, body.replace(b"more", b"mor3")) == "bad signature"
    assert refused(environ, body[: len(body) // 2]) in ("malformed", "bad signature")
    assert refused(environ, b"zz") == "malformed"
