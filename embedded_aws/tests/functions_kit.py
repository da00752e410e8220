"""What the tests of Lambda share: functions with unique names and roles."""

from __future__ import annotations

import http.client
import io
import json
import socket
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ECHO = """
import os

def handler(event, context):
    print("got", event)
    return {"event": event, "arn": context.invoked_function_arn, "version": context.function_version,
            "environment": dict(os.environ), "init": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]}
"""
HOLD = """
import socket

def handler(event, context):
    if event:
        with socket.create_connection(("127.0.0.1", event)) as held:
            held.recv(1)  # until the other side closes
    return 1
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


def package(source: str) -> bytes:
    """Return a deployment package with the module `handler`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", source)
    return buffer.getvalue()


def expect_error(code: str, call: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Call an operation that must fail with an error code. Returns the response."""
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response


def send(
    url: str,
    method: str = "GET",
    body: bytes = b"",
    keys: dict[str, str] | None = None,
    service: str = "lambda",
    **headers: str,
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send a request to a host name of this machine, without DNS. Returns (status, headers, body).

    keys: access key, secret key and session token of a principal that signs it.
    """
    parts, headers = urlsplit(url), {k.replace("_", "-"): v for k, v in headers.items()}
    if keys:
        credentials = Credentials(*keys.values())
        signed = AWSRequest(method, url, headers=headers, data=body)
        SigV4Auth(credentials, service, "us-east-1").add_auth(signed)
        headers = dict(signed.headers.items())
    connection = http.client.HTTPConnection("127.0.0.1", parts.port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request(method, path, body or None, {"Host": parts.netloc, **headers})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.headers, content


class Functions:
    """Creates functions with unique names and roles."""

    def __init__(self, aws: Any) -> None:
        self.aws, self.client, self.iam = aws, aws.client("lambda"), aws.client("iam")

    def role(self, actions: list[str], trust: dict[str, Any] = TRUST) -> str:
        """Create a role that allows actions. Returns its ARN."""
        name = f"fn-{uuid.uuid4().hex[:8]}"
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return arn

    def create(self, source: str = ECHO, actions: list[str] = LOGS, **settings: Any) -> str:
        """Create a function. Returns its name."""
        name = f"fn-{uuid.uuid4().hex[:8]}"
        defaults = {
            "Role": settings.get("Role") or self.role(actions),
            "Runtime": "python3.12",
            "Handler": "handler.handler",
            "Timeout": 20,  # enough on a busy machine
            "Code": {"ZipFile": package(source)},
        }
        self.client.create_function(FunctionName=name, **(defaults | settings))
        return name

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Keep an invocation of a function with the source HOLD running during the block."""
        with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
            server.settimeout(0.05)
            invocation = pool.submit(self.call, name, server.getsockname()[1])
            while (running := _accepted(server)) is None:
                assert not invocation.done(), invocation.result()
            with running:
                yield
        assert invocation.result()[0] == 1

    def call(self, name: str, event: object = None, **settings: Any) -> tuple[Any, dict[str, Any]]:
        """Invoke a function. Returns (result, response)."""
        response = self.client.invoke(FunctionName=name, Payload=json.dumps(event), **settings)
        return json.loads(response["Payload"].read()), response


def _accepted(server: socket.socket) -> socket.socket | None:
    """Return a connection, or None if there is none within the server's timeout."""
    try:
        return server.accept()[0]
    except TimeoutError:
        return None
