"""HTTP server: loopback only, keep-alive, complete bodies."""

from __future__ import annotations

import http.client
import socket

import pytest
from botocore.config import Config

pytestmark = pytest.mark.slow


def test_the_server_listens_on_loopback_only(embedded_aws) -> None:
    named = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    # On Linux a server that listens on every address answers at 127.0.0.2.
    for address in named - {"127.0.0.1"} | {"127.0.0.2"}:
        with pytest.raises(OSError), socket.create_connection((address, embedded_aws.port), timeout=1):
            pass


def test_a_connection_serves_many_requests(embedded_aws) -> None:
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


def test_large_bodies_are_complete(embedded_aws) -> None:
    s3 = embedded_aws.client("s3")
    s3.create_bucket(Bucket="whole")
    body = bytes(range(256)) * 20_000
    s3.put_object(Bucket="whole", Key="k", Body=body)
    assert s3.get_object(Bucket="whole", Key="k")["Body"].read() == body
    assert s3.get_object(Bucket="whole", Key="k", Range="bytes=256-511")["Body"].read() == body[:256]
    assert s3.head_object(Bucket="whole", Key="k")["ContentLength"] == len(body)


def test_a_partial_request_has_no_effect(embedded_aws) -> None:
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
