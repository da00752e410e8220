"""The Runtime API, without a server."""

from __future__ import annotations

import http.client
import time
from queue import SimpleQueue

import pytest

from embedded_aws.services.lambda_.runtime_api import PREFIX, RuntimeApi
from invocations_kit import invocation


@pytest.fixture
def api():
    outcomes = SimpleQueue()
    api = RuntimeApi(outcomes.put)
    api.outcomes = outcomes
    yield api
    api.close()


def test_client_gets_an_event_and_posts_its_response(api):
    client = http.client.HTTPConnection(api.address, timeout=30)
    api.send(invocation(b'{"a": 1}'))
    client.request("GET", PREFIX + "invocation/next")
    answer = client.getresponse()
    assert answer.read() == b'{"a": 1}'
    assert answer.headers["Lambda-Runtime-Aws-Request-Id"] == "r-1"
    assert int(answer.headers["Lambda-Runtime-Deadline-Ms"]) > time.time() * 1000
    assert answer.headers["Lambda-Runtime-Invoked-Function-Arn"].endswith(":function:f")
    client.request("POST", PREFIX + "invocation/r-1/response", b"42")
    assert client.getresponse().status == 202
    assert api.outcomes.get(timeout=30).kind == "ready"
    outcome = api.outcomes.get(timeout=30)
    assert (outcome.kind, outcome.request_id, outcome.body) == ("response", "r-1", b"42")


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_requests_of_a_browser_are_refused(api, headers):
    client = http.client.HTTPConnection(api.address, timeout=30)
    api.send(invocation())
    client.request("GET", PREFIX + "invocation/next", headers=headers)
    assert client.getresponse().status == 403
    assert api.outcomes.empty()


def test_failed_initialization_is_reported_before_the_response(api):
    client = http.client.HTTPConnection(api.address, timeout=30)
    for _ in range(20):
        client.request("POST", PREFIX + "init/error", b"{}")
        client.getresponse().read()
        assert api.outcomes.get_nowait().kind == "init_error"


def test_close_disconnects_a_waiting_client(api, until):
    client = http.client.HTTPConnection(api.address, timeout=30)
    client.request("GET", PREFIX + "invocation/next")
    assert api.outcomes.get(timeout=30).kind == "ready"
    api.close()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        client.getresponse()

    def is_refused() -> bool:
        try:
            http.client.HTTPConnection(api.address, timeout=30).connect()
        except ConnectionError:
            return True
        return False

    until(is_refused)
