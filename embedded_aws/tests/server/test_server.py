"""The HTTP side of the embedded AWS: who is served, keep-alive, errors in AWS's shape."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

pytestmark = pytest.mark.slow


def _get(aws, path: str = "/_local/health", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_health_tells_whose_it_is(embedded_aws) -> None:
    status, body = _get(embedded_aws)
    health = json.loads(body)
    assert status == 200
    assert health["home"] == str(embedded_aws.home) and health["pid"] == embedded_aws.address.pid
    assert health["port"] == embedded_aws.port and health["uptime"] >= 0 and health["processes"] >= 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example.com"},
        {"Host": "127.0.0.1"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
    ],
)
def test_a_browser_is_not_served(embedded_aws, headers: dict[str, str]) -> None:
    assert _get(embedded_aws, **headers)[0] == 403


def test_only_loopback_listens(embedded_aws) -> None:
    named = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    # The last would be answered, on Linux, by whoever listens on every address.
    for address in named - {"127.0.0.1"} | {"127.0.0.2"}:
        with pytest.raises(OSError), socket.create_connection((address, embedded_aws.port), timeout=1):
            pass


def test_connections_carry_many_requests(embedded_aws) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", embedded_aws.port, timeout=10)
    connection.connect()
    first = connection.sock.getsockname()
    for method, body in (("GET", None), ("PUT", b"x" * 100_000), ("HEAD", None), ("POST", b"")):
        connection.request(method, "/bucket/key" if method != "GET" else "/_local/health", body=body)
        connection.getresponse().read()
        assert connection.sock is not None and connection.sock.getsockname() == first
    connection.request(
        "PUT",
        "/bucket/key",
        body=iter([b"a" * 10, b"b"]),
        encode_chunked=True,
        headers={"Transfer-Encoding": "chunked"},
    )
    assert connection.getresponse().read().startswith(b"<?xml")
    connection.request("GET", "/_local/health", headers={"Connection": "close"})
    assert connection.getresponse().getheader("Connection") == "close"
    connection.close()


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("sagemaker", "list_edge_packaging_jobs", {}),
        ("ec2", "describe_verified_access_groups", {}),
        ("iam", "generate_service_last_accessed_details", {"Arn": "arn:aws:iam::123456789012:role/x"}),
        ("lambda", "get_runtime_management_config", {"FunctionName": "f"}),
    ],
)
def test_missing_operations_are_refused_at_once(
    embedded_aws, service: str, operation: str, arguments: dict
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(embedded_aws.client(service), operation)(**arguments)
    assert caught.value.response["Error"]["Code"] == "NotImplementedException"
    assert f"does not support this: {service}: " in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_big_bodies_come_back_whole(embedded_aws) -> None:
    s3 = embedded_aws.client("s3")
    s3.create_bucket(Bucket="whole")
    body = bytes(range(256)) * 20_000
    s3.put_object(Bucket="whole", Key="k", Body=body)
    assert s3.get_object(Bucket="whole", Key="k")["Body"].read() == body
    assert s3.get_object(Bucket="whole", Key="k", Range="bytes=256-511")["Body"].read() == body[:256]
    assert s3.head_object(Bucket="whole", Key="k")["ContentLength"] == len(body)


def test_half_a_request_is_not_acted_on(embedded_aws) -> None:
    s3 = embedded_aws.client("s3", config=Config(signature_version="s3v4"))
    s3.create_bucket(Bucket="halves")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "halves", "Key": "k"})
    path = url.split(str(embedded_aws.port), 1)[1]
    with socket.create_connection(("127.0.0.1", embedded_aws.port), timeout=10) as client:
        head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{embedded_aws.port}\r\nContent-Length: 100\r\n\r\n"
        client.sendall(head.encode() + b"x" * 50)
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert s3.list_objects_v2(Bucket="halves")["KeyCount"] == 0


def test_a_fault_is_an_aws_error_with_its_reason_and_leaves_a_traceback(embedded_aws) -> None:
    s3, body = embedded_aws.client("s3"), b"full" * 2000
    s3.create_bucket(Bucket="full")
    folder = embedded_aws.home / "blobs" / hashlib.sha256(body).hexdigest()[:2]
    folder.rename(folder.with_name("aside"))  # stands for a disk that takes no more
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="full", Key="k", Body=body)
    folder.with_name("aside").rename(folder)
    assert caught.value.response["Error"]["Code"] == "InternalFailure"
    assert "No such file or directory" in caught.value.response["Error"]["Message"]
    assert "Traceback" in (embedded_aws.home / "log" / "service.log").read_text()
    assert s3.list_objects_v2(Bucket="full")["KeyCount"] == 0
