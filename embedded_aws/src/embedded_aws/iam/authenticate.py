"""AWS Signature Version 4: in headers, in presigned URLs, and over streamed chunks.

Reference: "AWS Signature Version 4 for API requests" in the IAM user guide; "Signature calculations for the
Authorization header: transferring payload in multiple chunks" in the S3 API reference.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from embedded_aws.iam.errors import Refusal
from embedded_aws.iam.principals import Principal

_ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_SKEW = timedelta(minutes=15)
_HEADER = re.compile(
    rf"{_ALGORITHM} +Credential=(?P<credential>[^, ]+)[, ]+SignedHeaders=(?P<signed>[^, ]+)"
    r"[, ]+Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Signature:
    """The claims of a signed request."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    token: str | None
    query: bool = False
    """Whether the request is a presigned URL."""

    expires: int = 0
    """Lifetime of a presigned URL in seconds."""

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"

    @property
    def authorization(self) -> str:
        """Return the claims as an Authorization header."""
        signed = ";".join(self.signed_headers)
        return (
            f"{_ALGORITHM} Credential={self.access_key_id}/{self.scope}, "
            f"SignedHeaders={signed}, Signature={self.signature}"
        )


def read(environ: Mapping[str, Any]) -> Signature | None:
    """Return the signature of a WSGI request, or None. Raises Refusal if it cannot be read."""
    header = environ.get("HTTP_AUTHORIZATION")
    query = environ.get("QUERY_STRING", "")
    if header:
        match = _HEADER.fullmatch(header.strip())
        if match is None:
            raise Refusal(
                "bad signature",
                f"Authorization header requires {_ALGORITHM} with Credential, SignedHeaders and Signature.",
            )
        claims = match.groupdict()
        return _claims(
            claims["credential"],
            claims["signed"],
            claims["signature"],
            environ.get("HTTP_X_AMZ_DATE", ""),
            environ.get("HTTP_X_AMZ_SECURITY_TOKEN"),
        )
    if "X-Amz-Signature=" in query:
        fields = dict(parse_qsl(query, keep_blank_values=True))
        expires = fields.get("X-Amz-Expires", "0")
        if fields.get("X-Amz-Algorithm") != _ALGORITHM or not expires.isdecimal():
            raise Refusal(
                "bad signature", f"A presigned URL requires X-Amz-Algorithm={_ALGORITHM} and X-Amz-Expires."
            )
        return _claims(
            fields.get("X-Amz-Credential", ""),
            fields.get("X-Amz-SignedHeaders", ""),
            fields["X-Amz-Signature"],
            fields.get("X-Amz-Date", ""),
            fields.get("X-Amz-Security-Token"),
            query=True,
            expires=int(expires),
        )
    if "Signature=" in query and "AWSAccessKeyId=" in query:
        raise Refusal("bad signature", "Signature Version 2 is not accepted; sign with Version 4.")
    return None


def _claims(
    credential: str,
    signed: str,
    signature: str,
    timestamp: str,
    token: str | None,
    query: bool = False,
    expires: int = 0,
) -> Signature:
    scope = credential.rsplit("/", 4)
    if len(scope) != 5 or scope[4] != "aws4_request" or not timestamp.startswith(scope[1]):
        raise Refusal("bad signature", "Credential should be scoped to a valid date, region and service.")
    if "host" not in signed.lower().split(";"):
        raise Refusal("bad signature", "'Host' must be a 'SignedHeader' in the Authorization.")
    return Signature(
        access_key_id=scope[0],
        date=scope[1],
        region=scope[2],
        service=scope[3],
        signed_headers=tuple(signed.lower().split(";")),
        signature=signature,
        timestamp=timestamp,
        token=token,
        query=query,
        expires=expires,
    )


def authenticate(
    signature: Signature,
    environ: Mapping[str, Any],
    body: bytes,
    find: Callable[[str], Principal | None],
    now: datetime | None = None,
) -> Principal:
    """Return the caller that signed a request.

    find: returns the caller with an access key, or None.
    Raises Refusal with AWS's errors: unknown key, wrong token, expired, wrong signature.
    """
    principal = find(signature.access_key_id)
    if principal is None:
        raise Refusal("unknown key", "The security token included in the request is invalid.")
    if (principal.session_token or "") != (signature.token or ""):
        raise Refusal("bad token", "The security token included in the request is invalid.")
    now = now or datetime.now(timezone.utc)
    if principal.expiration is not None and now.replace(tzinfo=None) >= principal.expiration:
        raise Refusal("expired", "The security token included in the request is expired")
    _check_time(signature, now)

    payload_hash = _payload_hash(signature, environ, body)
    canonical = _canonical_request(signature, environ, payload_hash)
    key = _signing_key(principal.secret_access_key, signature.date, signature.region, signature.service)
    hashed = hashlib.sha256(canonical).hexdigest()
    text = f"{_ALGORITHM}\n{signature.timestamp}\n{signature.scope}\n{hashed}"
    if not hmac.compare_digest(_sign(key, text), signature.signature):
        raise Refusal(
            "bad signature",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        )
    if payload_hash.startswith("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"):
        _check_chunks(signature, key, body)
    return principal


def _check_time(signature: Signature, now: datetime) -> None:
    try:
        signed_at = datetime.strptime(signature.timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        raise Refusal("bad signature", "X-Amz-Date must be of the form YYYYMMDDTHHMMSSZ.") from None
    if signature.query:
        if now > signed_at + timedelta(seconds=signature.expires):
            raise Refusal("denied", "Request has expired")
        if signed_at > now + _SKEW:
            raise Refusal("denied", "Request is not yet valid")
    elif abs(now - signed_at) > _SKEW:
        raise Refusal(
            "skewed",
            f"Signature expired or not yet current: {signature.timestamp} is more than 15 min "
            f"from {now:%Y%m%dT%H%M%SZ}",
        )


def _payload_hash(signature: Signature, environ: Mapping[str, Any], body: bytes) -> str:
    stated: str | None = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
    if signature.query and signature.service == "s3":
        return stated or "UNSIGNED-PAYLOAD"
    if stated is None:
        return hashlib.sha256(body).hexdigest()
    if stated.startswith(("STREAMING-", "UNSIGNED-PAYLOAD")):
        return stated
    if stated != hashlib.sha256(body).hexdigest():
        raise Refusal(
            "bad payload", "The provided 'x-amz-content-sha256' header does not match what was computed."
        )
    return stated


def _canonical_request(signature: Signature, environ: Mapping[str, Any], payload_hash: str) -> bytes:
    raw = environ.get("RAW_URI") or environ["PATH_INFO"]
    path, _, query = raw.partition("?")
    if signature.service != "s3":
        path = _normalized(path)
    pairs = []
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        name, value = _encoded(name), _encoded(value)
        if not (signature.query and name == "X-Amz-Signature"):
            pairs.append((name, value))
    lines = [environ["REQUEST_METHOD"], path or "/", "&".join(f"{n}={v}" for n, v in sorted(pairs))]
    for name in signature.signed_headers:
        lines.append(f"{name}:{' '.join(_header(environ, name).split())}")
    lines += ["", ";".join(signature.signed_headers), payload_hash]
    return "\n".join(lines).encode("latin-1")


def _header(environ: Mapping[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    value = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}")
    return "" if value is None else str(value)


@lru_cache(maxsize=4096)
def _encoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="-_.~")


def _normalized(path: str) -> str:
    """Return the path that all services but S3 sign: no dot segments or doubled slashes, encoded once more."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    joined = "/" + "/".join(kept) + ("/" if kept and path.endswith("/") else "")
    return quote(joined, safe="/~")


def _sign(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("latin-1"), hashlib.sha256).hexdigest()


@lru_cache(maxsize=4096)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _check_chunks(signature: Signature, key: bytes, body: bytes) -> None:
    """Verify the chunk signatures of an aws-chunked body, and that of its trailer if there is one."""
    previous, position, ended = signature.signature, 0, False
    while not ended:
        line_end = body.find(b"\r\n", position)
        size, _, stated = body[position:line_end].partition(b";chunk-signature=")
        if line_end < 0 or not re.fullmatch(rb"[0-9a-fA-F]+", size):
            raise Refusal("malformed", "The aws-chunked body is malformed.")
        start, length = line_end + 2, int(size, 16)
        chunk = body[start : start + length]
        hashed = hashlib.sha256(chunk).hexdigest()
        previous = _chain(
            signature, key, f"{_ALGORITHM}-PAYLOAD", previous, f"{_EMPTY_HASH}\n{hashed}", stated
        )
        position, ended = start + length + (2 if length else 0), length == 0
    trailer, found, stated = body[position:].partition(b"x-amz-trailer-signature:")
    if found:
        text = trailer.replace(b"\r\n", b"\n").strip() + b"\n"
        _chain(
            signature,
            key,
            f"{_ALGORITHM}-TRAILER",
            previous,
            hashlib.sha256(text).hexdigest(),
            stated.strip(),
        )


def _chain(signature: Signature, key: bytes, kind: str, previous: str, hashes: str, stated: bytes) -> str:
    computed = _sign(key, f"{kind}\n{signature.timestamp}\n{signature.scope}\n{previous}\n{hashes}")
    if not hmac.compare_digest(computed.encode(), stated):
        raise Refusal("bad signature", "A chunk's signature does not match the one we calculated.")
    return computed
