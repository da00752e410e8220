"""Front: which requests are served."""

from __future__ import annotations

import http.client
import json

import pytest

pytestmark = pytest.mark.slow


def _get(aws, path: str = "/_local/health", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", aws.port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_health_reports_home_process_and_port(embedded_aws) -> None:
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
        {"Host": "127.0.0.1.example.com:5005"},
        {"Origin": "https://example.com"},
        {"Origin": "null"},
    ],
)
def test_requests_from_web_pages_are_refused(embedded_aws, headers: dict[str, str]) -> None:
    assert _get(embedded_aws, **headers)[0] == 403


def test_requests_through_a_proxy_on_this_machine_are_served(embedded_aws) -> None:
    assert _get(embedded_aws, Host="127.0.0.1:1")[0] == 200
