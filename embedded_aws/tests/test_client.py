"""Client: start, find and stop the server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TypeVar

import pytest

from embedded_aws import client, listener
from embedded_aws.client import EmbeddedAwsError
from embedded_aws.listener import ANY_PORT
from embedded_aws.server_process import start_time

pytestmark = pytest.mark.slow

T = TypeVar("T")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    client.destroy(home)


def is_alive(pid: int) -> bool:
    return start_time(pid) is not None


def at_once(calls: list[Callable[[], T]]) -> list[T]:
    """Return the results of calls that start in the same moment, each in a thread."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_two_starts_at_once_start_one_server_and_stop_ends_it(home: Path) -> None:
    found = at_once([lambda: client.start(home, ANY_PORT)] * 2)
    port = found[0].port
    assert found[0] == found[1]
    status = client.status(home)
    assert status.running and status.pid == found[0].pid and status.port == port
    assert status.since is not None and abs(status.since - time.time()) < 60

    with pytest.raises(EmbeddedAwsError, match=f"already runs on port {port}"):
        client.start(home, port + 1)

    assert client.stop(home) is True
    assert not is_alive(found[0].pid)
    assert client.status(home).running is False
    assert client.stop(home) is False

    # Port and credentials are kept.
    before = client.variables(home, "eu-west-1")
    again = client.start(home)
    assert again.port == port and again.pid != found[0].pid
    assert client.variables(home, "eu-west-1") == before
    assert before["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}" and before["AWS_REGION"] == "eu-west-1"
    assert (home / "credentials.json").stat().st_mode & 0o077 == 0

    client.destroy(home)
    assert not home.exists() and not is_alive(again.pid)


def test_start_refuses_a_port_that_another_program_uses(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            EmbeddedAwsError, match=rf"Port {port} of 127\.0\.0\.1 is used by another program"
        ):
            client.start(home, port)
        assert client.status(home).running is False


def test_eight_starts_at_once_reserve_eight_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listener.listen(tmp_path, ANY_PORT, None) as taken:
        monkeypatch.setattr(listener, "FIRST_PORT", listener.port_of(taken))
        sockets = at_once([lambda: listener.listen(tmp_path, None, None)] * 8)
        ports = [listener.port_of(found) for found in sockets]
        again = listener.listen(tmp_path, None, ports[0])  # another checkout has the port of the last start
        with again:
            assert len({listener.port_of(taken), listener.port_of(again), *ports}) == 10
        for found in sockets:
            found.close()
        with listener.listen(tmp_path, None, ports[-1]) as kept:
            assert listener.port_of(kept) == ports[-1]
        monkeypatch.setattr(listener, "PORTS", 1)
        with pytest.raises(EmbeddedAwsError, match=r"No port from \d+ to \d+ is free .* Choose one"):
            listener.listen(tmp_path, None, None)


def test_two_checkouts_that_start_at_once_get_a_port_each(tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    try:
        first, second = at_once([partial(client.start, home) for home in homes])
        assert first.port != second.port
        assert [client.status(home).pid for home in homes] == [first.pid, second.pid]
        client.stop(homes[0])
        with listener.listen(
            homes[0], first.port, None
        ):  # and the port of the last start goes to a third one
            assert client.start(homes[0]).port not in (first.port, second.port)
    finally:
        for home in homes:
            client.destroy(home)


def test_start_reports_the_last_line_of_a_server_that_ends_while_starting(home: Path) -> None:
    home.mkdir()
    (home / "state").write_text("a file where the server needs a folder")
    with pytest.raises(EmbeddedAwsError, match=r"ended while starting: .*state"):
        client.start(home, ANY_PORT)


def test_stale_records_are_ignored_and_a_killed_server_is_replaced(home: Path) -> None:
    home.mkdir()
    (home / "daemon.json").write_text(json.dumps({"pid": os.getpid(), "port": 1, "started": "1"}))
    with listener.listen(home, ANY_PORT, None) as closed:
        (home / "port.json").write_text(json.dumps({"port": listener.port_of(closed)}))
    assert client.stop(home) is False  # and did not end this process
    (home / "daemon.json").write_text("{not json")
    first = client.start(home)
    assert first.pid != os.getpid()

    os.kill(first.pid, signal.SIGKILL)
    second = client.start(home)
    assert second.port == first.port and second.pid != first.pid
    assert not is_alive(first.pid)


def test_a_server_stops_when_its_owner_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch, until) -> None:
    with subprocess.Popen(["sleep", "600"]) as owner:
        monkeypatch.setenv("EMBEDDED_AWS_OWNER", str(owner.pid))
        server = client.start(home, ANY_PORT)
        assert is_alive(server.pid)
        owner.kill()
    until(lambda: not is_alive(server.pid))


def test_destroy_refuses_a_folder_that_the_embedded_aws_did_not_create(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(EmbeddedAwsError, match="not removed"):
        client.destroy(tmp_path)
    assert (tmp_path / "precious").exists()


def test_variables_and_interrupt_refuse_a_home_that_was_never_started(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedAwsError, match="was ever started"):
        client.variables(tmp_path, "us-east-1")
    with pytest.raises(EmbeddedAwsError, match="start it first"):
        client.interrupt(tmp_path, "us-east-1", "job")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", r"stopped answering .*: start it, and check whether job still runs"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nno!", "HTTP status 502: its log is"),
        (b'HTTP/1.1 404 Not Found\r\nContent-Length: 21\r\n\r\n{"message": "no job"}', "^no job$"),
    ],
)
def test_interrupt_reports_a_server_that_dies_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, message: str
) -> None:
    class Dying(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Dying) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        found = client.Status(True, tmp_path, server.server_port)
        monkeypatch.setattr(client, "status", lambda home: found)
        with pytest.raises(EmbeddedAwsError, match=message):
            client.interrupt(tmp_path, "us-east-1", "job")
