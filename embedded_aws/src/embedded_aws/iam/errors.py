"""Errors in the protocol of the called service, so that every SDK raises its usual exception."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from xml.sax.saxutils import escape

# Reason → protocol → (error code, HTTP status). "json" also stands for CBOR. Sources: "Common Errors" pages of the
# services, error code lists of S3 and EC2.
_CODES: dict[str, dict[str, tuple[str, int]]] = {
    "denied": {
        "s3": ("AccessDenied", 403),
        "query": ("AccessDenied", 403),
        "ec2": ("UnauthorizedOperation", 403),
        "json": ("AccessDeniedException", 400),
        "rest-json": ("AccessDeniedException", 403),
    },
    "unsigned": {
        "s3": ("AccessDenied", 403),
        "query": ("MissingAuthenticationToken", 403),
        "ec2": ("AuthFailure", 401),
        "json": ("MissingAuthenticationTokenException", 400),
        "rest-json": ("MissingAuthenticationTokenException", 403),
    },
    "unknown key": {
        "s3": ("InvalidAccessKeyId", 403),
        "query": ("InvalidClientTokenId", 403),
        "ec2": ("AuthFailure", 401),
        "json": ("UnrecognizedClientException", 400),
        "rest-json": ("UnrecognizedClientException", 403),
    },
    "bad token": {
        "s3": ("InvalidToken", 400),
        "query": ("InvalidClientTokenId", 403),
        "ec2": ("AuthFailure", 401),
        "json": ("UnrecognizedClientException", 400),
        "rest-json": ("UnrecognizedClientException", 403),
    },
    "bad identity token": dict.fromkeys(
        ("s3", "query", "ec2", "json", "rest-json"), ("InvalidIdentityToken", 400)
    ),
    "bad signature": {
        "s3": ("SignatureDoesNotMatch", 403),
        "query": ("SignatureDoesNotMatch", 403),
        "ec2": ("AuthFailure", 401),
        "json": ("InvalidSignatureException", 400),
        "rest-json": ("InvalidSignatureException", 403),
    },
    "skewed": {
        "s3": ("RequestTimeTooSkewed", 403),
        "query": ("SignatureDoesNotMatch", 403),
        "ec2": ("AuthFailure", 401),
        "json": ("InvalidSignatureException", 400),
        "rest-json": ("InvalidSignatureException", 403),
    },
    "expired": {
        "s3": ("ExpiredToken", 400),
        "query": ("ExpiredToken", 403),
        "ec2": ("RequestExpired", 400),
        "json": ("ExpiredTokenException", 400),
        "rest-json": ("ExpiredTokenException", 403),
    },
    "bad payload": {
        "s3": ("XAmzContentSHA256Mismatch", 400),
        "query": ("SignatureDoesNotMatch", 403),
        "ec2": ("AuthFailure", 401),
        "json": ("InvalidSignatureException", 400),
        "rest-json": ("InvalidSignatureException", 403),
    },
    "unknown operation": {
        "s3": ("MethodNotAllowed", 405),
        "query": ("InvalidAction", 400),
        "ec2": ("InvalidAction", 400),
        "json": ("UnknownOperationException", 400),
        "rest-json": ("UnknownOperationException", 404),
    },
    "bad argument": dict.fromkeys(("s3", "query"), ("InvalidArgument", 400)),
    "unknown parameter": {"ec2": ("UnknownParameter", 400)},
    "malformed": {
        "s3": ("MalformedXML", 400),
        "query": ("MalformedQueryString", 400),
        "ec2": ("InvalidRequest", 400),
        "json": ("SerializationException", 400),
        "rest-json": ("SerializationException", 400),
    },
}


class Refusal(Exception):
    """A request that the gate refuses. reason: a key of the table above."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason, self.message = reason, message


Answer = tuple[str, list[tuple[str, str]], bytes]
"""HTTP response: status line, headers, body."""


def render(refusal: Refusal, protocol: str, head: bool = False, query_compatible: bool = False) -> Answer:
    """Return the HTTP response for a refusal.

    protocol: "s3", "rest-xml", "query", "ec2", "json", "rest-json" or "cbor".
    head: whether the request is a HEAD, whose response has no body.
    query_compatible: whether SDKs of the service expect error codes of the query protocol (awsQueryCompatible).
    """
    table = _CODES[refusal.reason]
    family = {"cbor": "json", "rest-xml": "query"}.get(protocol, protocol)
    code, status = table[family]
    message = refusal.message
    if protocol == "ec2" and refusal.reason == "denied":
        message = f"You are not authorized to perform this operation. {message}"
    query_code = table["query"][0] if query_compatible else None
    return error(protocol, code, message, status, head=head, query_code=query_code)


def error(
    protocol: str, code: str, message: str, status: int, *, head: bool = False, query_code: str | None = None
) -> Answer:
    """Return the HTTP response for an AWS error code in a protocol."""
    request_id = str(uuid.uuid4())
    headers = [("x-amzn-RequestId", request_id)]
    sender = "Sender" if status < 500 else "Receiver"
    if protocol == "s3":
        headers = [("x-amz-request-id", request_id), ("Content-Type", "application/xml")]
        body = _xml("Error", {"Code": code, "Message": message, "RequestId": request_id})
    elif protocol in ("query", "rest-xml"):
        headers.append(("Content-Type", "text/xml"))
        inner = _xml("Error", {"Type": sender, "Code": code, "Message": message}, declaration=False)
        body = f"<ErrorResponse>{inner}<RequestId>{request_id}</RequestId></ErrorResponse>"
    elif protocol == "ec2":
        headers.append(("Content-Type", "text/xml"))
        inner = _xml("Error", {"Code": code, "Message": message}, declaration=False)
        body = f"<Response><Errors>{inner}</Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        headers.append(("x-amzn-ErrorType", code))
        body = json.dumps({"__type": code, "message": message, "Message": message})
    content = body.encode()
    if protocol in ("json", "rest-json"):
        headers.append(("Content-Type", "application/x-amz-json-1.1"))
    elif protocol == "cbor":
        headers += [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
        content = _cbor_map([("__type", code), ("message", message)])
    if query_code:
        headers.append(("x-amzn-query-error", f"{query_code};{sender}"))
    if head:
        content = b""
    headers.append(("Content-Length", str(len(content))))
    return f"{status} {HTTPStatus(status).phrase}", headers, content


# Characters that XML 1.0 does not have. Messages quote the request.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _xml(name: str, fields: dict[str, str], declaration: bool = True) -> str:
    inner = "".join(f"<{key}>{escape(_NOT_XML.sub('?', value))}</{key}>" for key, value in fields.items())
    return ('<?xml version="1.0" encoding="UTF-8"?>' if declaration else "") + f"<{name}>{inner}</{name}>"


def _cbor_map(items: Iterable[tuple[str, str]]) -> bytes:
    """Encode a CBOR map of texts (RFC 8949) with fewer than 24 items."""
    items = list(items)
    return bytes([0xA0 + len(items)]) + b"".join(_cbor_text(text) for item in items for text in item)


def _cbor_text(text: str) -> bytes:
    data = text.encode()
    size = len(data)
    if size < 24:
        return bytes([0x60 + size]) + data
    if size < 256:
        return bytes([0x78, size]) + data
    return b"\x79" + size.to_bytes(2, "big") + data[:65535]
