"""What tests of Lambda share: functions with names and roles of their own."""

from __future__ import annotations

import http.client
import io
import json
import uuid
import zipfile
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
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
LOGS = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


def package(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", source)
    return buffer.getvalue()


def refused(code: str, call, **arguments) -> dict:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    assert error.value.response["Error"]["Code"] == code, error.value
    return error.value.response


def ask(
    url: str,
    method: str = "GET",
    body: bytes = b"",
    keys: dict | None = None,
    service: str = "lambda",
    **headers,
):
    """(status, headers, body); signed if keys are given. The name is not looked up: it is this machine's."""
    parts, headers = urlsplit(url), {k.replace("_", "-"): v for k, v in headers.items()}
    if keys:
        credentials = Credentials(*keys.values())
        signed = AWSRequest(method, url, headers=headers, data=body)
        SigV4Auth(credentials, service, "us-east-1").add_auth(signed)
        headers = dict(signed.headers.items())
    connection = http.client.HTTPConnection("127.0.0.1", parts.port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request(method, path, body or None, {"Host": parts.netloc, **headers})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


class Functions:
    """Makes functions with names and roles of their own."""

    def __init__(self, aws):
        self.aws, self.client, self.iam = aws, aws.client("lambda"), aws.client("iam")

    def role(self, actions: list[str], trust: dict = TRUST) -> str:
        name = f"fn-{uuid.uuid4().hex[:8]}"
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
        return arn

    def create(self, source: str = ECHO, actions: list[str] = LOGS, **settings) -> str:
        name = f"fn-{uuid.uuid4().hex[:8]}"
        defaults = {
            "Role": settings.get("Role") or self.role(actions),
            "Runtime": "python3.12",
            "Handler": "handler.handler",
            "Timeout": 20,  # a loaded machine is slow
            "Code": {"ZipFile": package(source)},
        }
        self.client.create_function(FunctionName=name, **(defaults | settings))
        return name

    def call(self, name: str, event: object = None, **settings):
        answer = self.client.invoke(FunctionName=name, Payload=json.dumps(event), **settings)
        return json.loads(answer["Payload"].read()), answer
