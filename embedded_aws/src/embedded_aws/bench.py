"""`python -m embedded_aws.bench`: latency that the embedded AWS adds to an endpoint, and its throughput.

Deploys a trivial container on a new embedded AWS in a temporary folder. A raw keep-alive client sends requests of
50 kB through the embedded AWS (signed) and then directly to the container, one at a time; the difference is the
overhead. Four connections at once measure the throughput. The best of several rounds counts: other load on the machine
only adds. Client, server and container share this machine.
"""

from __future__ import annotations

import argparse
import io
import json
import socket
import statistics
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from embedded_aws import client
from embedded_aws.errors import EmbeddedAwsError

REGION = "us-east-1"
BODY = bytes(50_000)
CONNECTIONS = 4
ROUNDS, REQUESTS = 5, 200  # per measurement; a run takes up to 20 s
START_SECONDS = 60.0

APP = """
import os
from ray import serve

PORT = os.environ["SAGEMAKER_BIND_TO_PORT"].encode()

async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        continue
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(PORT))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PORT})

@serve.deployment
@serve.ingress(asgi)
class App:
    pass

app = App.bind()
"""


class Connection:
    """HTTP/1.1 over one socket with little overhead: the bytes of the request are prepared."""

    def __init__(self, port: int, request: bytes):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request

    def send(self) -> bytes:
        """Send the request and return the body of the response. Raises EmbeddedAwsError unless it is a 200."""
        self._socket.sendall(self._request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += self._receive()
        if not head.startswith(b"HTTP/1.1 200"):
            raise EmbeddedAwsError(f"An invocation failed: {head.splitlines()[0].decode()}.")
        return body

    def _receive(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise EmbeddedAwsError("The connection was closed in the middle of the benchmark.")
        return data

    def close(self) -> None:
        self._socket.close()


def run() -> dict[str, Any]:
    """Measure a new embedded AWS. Raises EmbeddedAwsError."""
    with tempfile.TemporaryDirectory(prefix="embedded-aws-bench-") as folder:
        home = Path(folder) / "home"
        address = client.start(home)
        try:
            return measure(address, client.variables(home, REGION))
        finally:
            client.destroy(home)


def measure(
    address: client.Address, variables: dict[str, str], rounds: int = ROUNDS, requests: int = REQUESTS
) -> dict[str, Any]:
    """Measure a running embedded AWS: median and 99th percentile in milliseconds, invocations per second.

    variables: from `client.variables`. Raises EmbeddedAwsError.
    """
    _deploy(variables)
    through = _request(address.port, "/endpoints/bench/invocations", _signed(address, variables))
    connection = Connection(address.port, through)
    port = int(connection.send())
    direct = Connection(port, _request(port, "/invocations", {"Content-Type": "image/png"}))
    latencies = [(_latencies(connection, requests), _latencies(direct, requests)) for _ in range(rounds)]
    connection.close()
    direct.close()
    throughput = max(_throughput(address.port, through, requests) for _ in range(rounds))
    best = min(latencies, key=lambda pair: statistics.median(pair[0]) - statistics.median(pair[1]))
    percentiles = [(statistics.median(times), statistics.quantiles(times, n=100)[98]) for times in best]
    (median, p99), (own_median, own_p99) = percentiles
    return {
        "endpoint": {"median_ms": round(median, 2), "p99_ms": round(p99, 2)},
        "container": {"median_ms": round(own_median, 2), "p99_ms": round(own_p99, 2)},
        "overhead": {"median_ms": round(median - own_median, 2), "p99_ms": round(p99 - own_p99, 2)},
        "invocations_per_second": round(throughput),
        "body_bytes": len(BODY),
        "connections": CONNECTIONS,
    }


def _latencies(connection: Connection, requests: int) -> list[float]:
    """Return the milliseconds of each of `requests` sequential requests."""
    times = []
    for _ in range(requests):
        started = time.perf_counter()
        connection.send()
        times.append((time.perf_counter() - started) * 1000)
    return times


def _throughput(port: int, request: bytes, requests: int) -> float:
    """Return requests per second over all connections, each of which sends half of `requests`."""
    connections = [Connection(port, request) for _ in range(CONNECTIONS)]
    threads = [
        threading.Thread(target=lambda c=connection: [c.send() for _ in range(requests // 2)])
        for connection in connections
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return CONNECTIONS * (requests // 2) / elapsed


def _request(port: int, path: str, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Content-Length: {len(BODY)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + BODY


def _signed(address: client.Address, variables: dict[str, str]) -> dict[str, str]:
    keys = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
    url = f"{address.endpoint_url}/endpoints/bench/invocations"
    request = AWSRequest("POST", url, data=BODY, headers={"Content-Type": "image/png"})
    SigV4Auth(keys, "sagemaker", REGION).add_auth(request)
    return {name: value for name, value in request.headers.items() if name != "Content-Length"}


def _deploy(variables: dict[str, str]) -> None:
    """Create role, bucket, model and an endpoint of one instance; wait until it is in service."""
    session = boto3.Session(
        variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], region_name=REGION
    )
    s3, iam, sagemaker = (
        session.client(name, endpoint_url=variables["AWS_ENDPOINT_URL"])
        for name in ("s3", "iam", "sagemaker")
    )
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    role = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    read = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.put_role_policy(RoleName="bench", PolicyName="read", PolicyDocument=_policy(read))
    s3.create_bucket(Bucket="bench")
    s3.put_object(Bucket="bench", Key="model.tar.gz", Body=_archive("code/app.py", APP.encode()))
    container = {
        "Image": f"763104351884.dkr.ecr.{REGION}.amazonaws.com/ray:serve-ml-sagemaker-cpu-v1",
        "ModelDataUrl": "s3://bench/model.tar.gz",
        "Environment": {"SM_RAYSERVE_APP": "app:app"},
    }
    sagemaker.create_model(ModelName="bench", ExecutionRoleArn=role, PrimaryContainer=container)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "bench",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName="bench", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="bench", EndpointConfigName="bench")
    deadline = time.monotonic() + START_SECONDS
    while (found := sagemaker.describe_endpoint(EndpointName="bench"))["EndpointStatus"] != "InService":
        if found["EndpointStatus"] == "Failed" or time.monotonic() > deadline:
            raise EmbeddedAwsError(
                f"The endpoint did not reach InService: {found.get('FailureReason', 'timeout')}"
            )
        time.sleep(0.05)


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _archive(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _table(figures: dict[str, Any]) -> str:
    rows = [f"{'':24}{'median':>10}{'p99':>10}"]
    for label, name in (
        ("through the embedded AWS", "endpoint"),
        ("container alone", "container"),
        ("overhead", "overhead"),
    ):
        values = figures[name]
        rows.append(f"{label:24}{values['median_ms']:>7.2f} ms{values['p99_ms']:>7.2f} ms")
    rows.append(
        f"{figures['invocations_per_second']} invocations per second over {CONNECTIONS} connections, "
        f"{len(BODY) // 1000} kB each"
    )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="embedded_aws.bench", description="Measure the embedded AWS's endpoint path."
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    figures = run()
    print(json.dumps(figures) if arguments.json else _table(figures))


if __name__ == "__main__":
    main()
