"""EC2 instances, read from a metadata service, and the local machine."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ml.runner.machine import EC2Instance, LocalMachine

IDENTITY = {"instanceId": "i-1", "instanceType": "g5.xlarge", "pendingTime": "2026-01-01T00:00:00Z"}
LAUNCHED = 1767225600  # pendingTime in seconds since 1970
NOTICE = '{"action": "terminate", "time": "2026-11-26T12:00:00Z"}'


class MetadataService(BaseHTTPRequestHandler):
    """An instance metadata service that only accepts version 2."""

    tree: dict = {}  # noqa: RUF012
    tokens = 0

    def do_PUT(self):
        type(self).tokens += 1
        self.respond("token" if int(self.headers["X-aws-ec2-metadata-token-ttl-seconds"]) <= 21600 else None)

    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token") != "token":
            self.send_error(401)
            return
        self.respond(self.tree.get(self.path.removeprefix("/latest/")))

    def respond(self, text):
        self.send_response(404 if text is None else 200)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *_):
        """Print nothing."""


@pytest.fixture
def metadata(monkeypatch):
    """The paths and values of a running metadata service, of a Spot Instance at first."""
    tree = {
        "dynamic/instance-identity/document": json.dumps(IDENTITY),
        "meta-data/instance-life-cycle": "spot",
    }
    monkeypatch.setattr(MetadataService, "tree", tree)
    monkeypatch.setattr(MetadataService, "tokens", 0)
    server = HTTPServer(("127.0.0.1", 0), MetadataService)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{server.server_port}/")
    yield tree
    server.shutdown()
    server.server_close()


def test_an_instance_reads_its_identity_and_interruption_notice(metadata):
    machine = EC2Instance()
    assert (machine.id, machine.type, machine.spot) == ("i-1", "g5.xlarge", True)
    assert machine.billable_seconds() == pytest.approx(time.time() - LAUNCHED, abs=60)
    assert machine.interruption_time() == ""
    metadata["meta-data/spot/instance-action"] = NOTICE
    assert machine.interruption_time() == "2026-11-26T12:00:00Z"
    assert MetadataService.tokens == 1  # one session for all requests


def test_an_on_demand_instance_is_never_interrupted(metadata):
    metadata["meta-data/instance-life-cycle"] = "on-demand"
    metadata["meta-data/spot/instance-action"] = NOTICE
    assert EC2Instance().interruption_time() == ""


def test_the_local_machine_is_never_interrupted():
    machine = LocalMachine()
    assert machine.id and machine.interruption_time() == "" and not machine.spot
    assert machine.billable_seconds() >= 0
