"""Error responses as AWS's services send them, in the protocol of each service."""

from __future__ import annotations

import json

THROTTLE, UNAVAILABLE, EXPIRED, DROP = "throttle", "unavailable", "expired", "drop"
KINDS = (THROTTLE, UNAVAILABLE, EXPIRED, DROP)

_S3 = {
    THROTTLE: ("SlowDown", 503),
    UNAVAILABLE: ("ServiceUnavailable", 503),
    EXPIRED: ("ExpiredToken", 400),
}
_EC2 = {
    THROTTLE: ("RequestLimitExceeded", 503),
    UNAVAILABLE: ("Unavailable", 503),
    EXPIRED: ("RequestExpired", 400),
}
_QUERY = {
    THROTTLE: ("Throttling", 400),
    UNAVAILABLE: ("ServiceUnavailable", 503),
    EXPIRED: ("ExpiredToken", 403),
}
_JSON = {
    THROTTLE: ("ThrottlingException", 400),
    UNAVAILABLE: ("ServiceUnavailable", 503),
    EXPIRED: ("ExpiredTokenException", 400),
}
_LAMBDA = {
    THROTTLE: ("TooManyRequestsException", 429),
    UNAVAILABLE: ("ServiceException", 500),
    EXPIRED: ("ExpiredTokenException", 403),
}
_MESSAGES = {
    THROTTLE: "Rate exceeded",
    UNAVAILABLE: "The service is temporarily unavailable.",
    EXPIRED: "The security token included in the request is expired",
}


def render(kind: str, service: str, content_type: str) -> bytes:
    """Return the bytes of an error response. kind: of KINDS; `drop` returns none."""
    if kind == DROP:
        return b""
    message = _MESSAGES[kind]
    if service == "s3":
        code, status = _S3[kind]
        return _http(
            status, "application/xml", f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        )
    if service == "ec2":
        code, status = _EC2[kind]
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return _http(
            status, "text/xml", f"<Response><Errors>{error}</Errors><RequestID>0</RequestID></Response>"
        )
    if "form-urlencoded" in content_type:
        code, status = _QUERY[kind]
        error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        return _http(status, "text/xml", f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>")
    if "cbor" in content_type:
        code, status = _JSON[kind]
        return _http(status, "application/cbor", _cbor({"__type": code, "message": message}), code)
    code, status = (_LAMBDA if service == "lambda" else _JSON)[kind]
    return _http(status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}), code)


def _cbor(content: dict[str, str]) -> bytes:
    """Return a map of short texts in CBOR (RFC 8949)."""

    def text(value: str) -> bytes:
        data = value.encode()
        return (bytes([0x60 + len(data)]) if len(data) < 24 else bytes([0x78, len(data)])) + data

    return bytes([0xA0 + len(content)]) + b"".join(text(k) + text(v) for k, v in content.items())


def _http(status: int, content_type: str, body: str | bytes, code: str = "") -> bytes:
    data = body.encode() if isinstance(body, str) else body
    smithy = "smithy-protocol: rpc-v2-cbor\r\n" if content_type == "application/cbor" else ""
    error = f"x-amzn-errortype: {code}\r\n" if code else ""
    return (
        f"HTTP/1.1 {status} Error\r\nContent-Type: {content_type}\r\n{error}{smithy}"
        f"x-amzn-requestid: 0\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    ).encode() + data
