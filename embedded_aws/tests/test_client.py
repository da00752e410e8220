"""Client: start, find and stop the server."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded_aws import client
from embedded_aws.client import EmbeddedAwsError
from embedded_aws.pytest_plugin import free_port
from embedded_aws.server_process import start_time

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    yield home
    client.destroy(home)


def is_alive(pid: int) -> bool:
    return start_time(pid) is not None


def test_two_starts_at_once_start_one_server_and_stop_ends_it(home: Path) -> None:
    port, found = free_port(), []
    threads = [threading.Thread(target=lambda: found.append(client.start(home, port))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0] == found[1]
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


def test_start_reports_the_last_line_of_a_server_that_ends_while_starting(home: Path) -> None:
    home.mkdir()
    (home / "state").write_text("a file where the server needs a folder")
    with pytest.raises(EmbeddedAwsError, match=r"ended while starting: .*state"):
        client.start(home, free_port())


def test_stale_records_are_ignored_and_a_killed_server_is_replaced(home: Path) -> None:
    home.mkdir()
    (home / "daemon.json").write_text(json.dumps({"pid": os.getpid(), "port": 1, "started": "1"}))
    (home / "port.json").write_text(json.dumps({"port": free_port()}))
    assert client.stop(home) is False  # and did not end this process
    (home / "daemon.json").write_text("{not json")
    first = client.start(home)
    assert first.pid != os.getpid()

    os.kill(first.pid, signal.SIGKILL)
    second = client.start(home)
    assert second.port == first.port and second.pid != first.pid
    assert not is_alive(first.pid)


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
