"""Signed requests that no client validates."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from typing import Any

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def json_headers(target: str) -> dict[str, str]:
    """Return the headers of a request of the JSON protocol."""
    return {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}


def send(
    aws: Any, service: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, str]:
    """Send a signed request as root. Returns status and body."""
    request = AWSRequest(method, aws.endpoint_url + path, data=body, headers=headers or {})
    variables = aws.credentials
    keys = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    (S3SigV4Auth if service == "s3" else SigV4Auth)(keys, service, "us-east-1").add_auth(request)
    sent = urllib.request.Request(
        request.prepare().url, data=body or None, headers=dict(request.headers), method=method
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(sent, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def code_of(body: str) -> str:
    """Return the error code of an answer in XML or JSON."""
    found = re.search(r"<Code>(\w+)</Code>|\"__type\": \"(\w+)\"", body)
    assert found, body
    return found[1] or found[2]


def unchecked(aws: Any, service: str) -> Any:
    """Return a client that sends what it is given."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    return aws.client(service, config=config)
