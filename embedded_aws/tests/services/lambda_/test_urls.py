"""Function URLs: events, responses and authorization."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlsplit

import pytest

from embedded_aws.services.lambda_ import urls
from functions_kit import Functions, package, send

ECHO = "def handler(event, context): return event"
RESPONSE = """
def handler(event, context):
    return {"statusCode": 418, "headers": {"X-Mine": "yes"}, "cookies": ["a=1", "b=2"],
            "body": "aGk=", "isBase64Encoded": True}
"""


class Caller:
    def __init__(self, aws):
        self.aws, self.functions = aws, Functions(aws)

    def url(self, name: str, auth_type: str, **settings) -> str:
        return self.functions.client.create_function_url_config(
            FunctionName=name, AuthType=auth_type, **settings
        )["FunctionUrl"]

    send = staticmethod(send)


@pytest.fixture(scope="module")
def caller(embedded_aws):
    return Caller(embedded_aws)


def allow_everyone(caller, name: str) -> None:
    caller.functions.client.add_permission(
        FunctionName=name,
        StatementId="public",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
    )


def test_public_url_needs_a_policy_that_allows_everyone(caller):
    name = caller.functions.create(ECHO)
    url = caller.url(name, "NONE")
    status, _, body = caller.send(url)
    assert (status, json.loads(body)) == (403, {"Message": "Forbidden"})
    allow_everyone(caller, name)
    status, headers, body = caller.send(
        f"{url}a/b%20c?x=1&x=2&y=", "POST", b'{"n": 1}', Content_Type="application/json", Cookie="k=v; l=w"
    )
    event = json.loads(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert (event["version"], event["rawPath"], event["rawQueryString"]) == ("2.0", "/a/b c", "x=1&x=2&y=")
    assert event["queryStringParameters"] == {"x": "1,2", "y": ""}
    assert (event["body"], event["isBase64Encoded"], event["cookies"]) == ('{"n": 1}', False, ["k=v", "l=w"])
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["domainName"].endswith(".lambda-url.us-east-1.localhost")
    binary = json.loads(caller.send(url, "PUT", b"\x89PNG", Content_Type="image/png")[2])
    assert (base64.b64decode(binary["body"]), binary["isBase64Encoded"]) == (b"\x89PNG", True)


def test_result_sets_status_headers_cookies_and_body(caller):
    name = caller.functions.create(RESPONSE)
    url = caller.url(name, "NONE")
    allow_everyone(caller, name)
    status, headers, body = caller.send(url)
    assert (status, headers["x-mine"], headers.get_all("set-cookie"), body) == (
        418,
        "yes",
        ["a=1", "b=2"],
        b"hi",
    )
    caller.functions.client.update_function_code(
        FunctionName=name, ZipFile=package("def handler(e, c): raise ValueError('secret')")
    )
    status, _, body = caller.send(url)
    assert (status, json.loads(body)) == (502, {"Message": "Internal Server Error"})
    caller.functions.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert caller.send(url)[0] == 429


def test_iam_url_needs_a_signature_and_a_permission(caller):
    name = caller.functions.create(ECHO, Publish=True)
    caller.functions.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    url = caller.url(name, "AWS_IAM", Qualifier="live")
    assert caller.send(url)[0] == 403
    root = caller.aws.credentials
    keys = {"key": root["AWS_ACCESS_KEY_ID"], "secret": root["AWS_SECRET_ACCESS_KEY"]}
    status, _, body = caller.send(url, keys=keys)
    assert status == 200
    assert json.loads(body)["requestContext"]["authorizer"]["iam"]["userArn"].endswith(":root")
    assert caller.send(url, keys=keys | {"secret": "wrong"})[0] == 403
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}]
    }
    trust["Version"] = "2012-10-17"
    for action, expected in (("lambda:InvokeFunction", 403), ("lambda:InvokeFunctionUrl", 200)):
        role = caller.functions.role([action], trust).rsplit("/", 1)[1]
        assert caller.send(url, keys=caller.aws.session_of(role))[0] == expected


def test_unknown_url_and_cross_origin_request_are_refused(caller):
    name = caller.functions.create(ECHO)
    url = caller.url(name, "NONE")
    allow_everyone(caller, name)
    assert caller.send(url, Origin="http://a.page")[0] == 403
    identity = urlsplit(url).hostname.partition(".")[0]
    assert caller.send(url.replace(identity, "0" * 32))[0] == 403
    caller.functions.client.delete_function_url_config(FunctionName=name)
    assert caller.send(url)[0] == 403


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'"text"', (200, b"text")),
        (b'{"a": 1}', (200, b'{"a": 1}')),
        (b'{"statusCode": "x"}', (502, None)),
        (b'{"statusCode": 204}', (204, b"")),
    ],
)
def test_response_of_a_result(payload, expected):
    status, _, body = urls.response(payload, "r")
    assert int(status.split()[0]) == expected[0]
    assert expected[1] is None or body == expected[1]
