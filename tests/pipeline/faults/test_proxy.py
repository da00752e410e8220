"""The proxy: forwards signed requests, sends AWS's errors, drops connections, refuses them and recovers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from pipeline.faults import answers
from pipeline.faults.proxy import Proxy


class _Account(BaseHTTPRequestHandler):
    """Stores what is put and returns it; an empty JSON object for everything else."""

    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        self.objects[self.path] = self.rfile.read(int(self.headers["Content-Length"]))
        self._send(b"")

    def do_GET(self) -> None:
        self._send(self.objects[self.path])

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(b"{}")

    def _send(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def account() -> Iterator[str]:
    """URL of a small server."""
    handler = type("Account", (_Account,), {"objects": {}})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(account) -> Iterator[Proxy]:
    proxy = Proxy(account)
    yield proxy
    proxy.refuse()


SESSION = boto3.Session("key", "secret", region_name="us-east-1")


def client(proxy: Proxy, service: str):
    config = Config(
        retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=0.5, signature_version=None
    )
    return SESSION.client(service, endpoint_url=proxy.url, config=config)


def put_and_get(proxy: Proxy, body: bytes) -> bytes:
    s3 = client(proxy, "s3")
    s3.put_object(Bucket="bucket", Key="key", Body=body)
    return s3.get_object(Bucket="bucket", Key="key", ChecksumMode="DISABLED")["Body"].read()


def test_requests_are_forwarded_with_their_bodies(proxy):
    body = bytes(range(256)) * 1000
    assert body in put_and_get(proxy, body)  # boto3 frames it in chunks


@pytest.mark.parametrize(
    ("kind", "service", "operation", "code"),
    [
        (answers.THROTTLE, "s3", "list_buckets", "SlowDown"),
        (answers.THROTTLE, "iam", "list_roles", "Throttling"),
        (answers.THROTTLE, "ec2", "describe_vpcs", "RequestLimitExceeded"),
        (answers.THROTTLE, "sagemaker", "list_endpoints", "ThrottlingException"),
        (answers.THROTTLE, "lambda", "list_functions", "TooManyRequestsException"),
        (answers.THROTTLE, "cloudwatch", "describe_alarms", "ThrottlingException"),
        (answers.UNAVAILABLE, "s3", "list_buckets", "ServiceUnavailable"),
        (answers.UNAVAILABLE, "sagemaker", "list_endpoints", "ServiceUnavailable"),
        (answers.EXPIRED, "s3", "list_buckets", "ExpiredToken"),
        (answers.EXPIRED, "sts", "get_caller_identity", "ExpiredToken"),
        (answers.EXPIRED, "ssm", "describe_parameters", "ExpiredTokenException"),
    ],
)
def test_a_disturbed_request_gets_the_error_of_its_service(proxy, kind, service, operation, code):
    proxy.fail(1, kind)
    with pytest.raises(ClientError) as error:
        getattr(client(proxy, service), operation)()
    assert error.value.response["Error"]["Code"] == code


def test_a_share_of_the_requests_is_disturbed(proxy):
    proxy.fail(0.3, answers.THROTTLE)
    sagemaker, refused = client(proxy, "sagemaker"), 0
    for _ in range(100):
        try:
            sagemaker.list_endpoints()
        except ClientError:
            refused += 1
    assert 15 < refused < 45


def test_a_dropped_request_has_no_answer(proxy):
    proxy.fail(1, answers.DROP)
    with pytest.raises(ConnectionClosedError):
        client(proxy, "sagemaker").list_endpoints()


def test_a_hanging_service_does_not_answer_until_it_is_forwarded_again(proxy, account):
    proxy.hang("sagemaker")
    with pytest.raises(ReadTimeoutError):
        client(proxy, "sagemaker").list_endpoints()
    client(proxy, "ssm").describe_parameters()
    proxy.forward(account)
    client(proxy, "sagemaker").list_endpoints()


def test_a_refusing_proxy_answers_again_on_the_same_port(proxy, account):
    url = proxy.url
    proxy.refuse()
    with pytest.raises(EndpointConnectionError):
        client(proxy, "sagemaker").list_endpoints()
    proxy.forward(account)
    assert proxy.url == url
    client(proxy, "sagemaker").list_endpoints()
