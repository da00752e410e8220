"""Starting, finding and ending the embedded AWS."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from embedded_aws import client as daemon
from embedded_aws.errors import EmbeddedAwsError

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path):
    home = tmp_path / "home"
    yield home
    daemon.destroy(home)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _alive(pid: int) -> bool:
    return daemon._start_time(pid) is not None


def test_two_starts_at_once_make_one_daemon_and_stop_ends_it(home: Path) -> None:
    port, found = _free_port(), []
    threads = [threading.Thread(target=lambda: found.append(daemon.start(home, port))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0] == found[1]
    status = daemon.status(home)
    assert status.running and status.pid == found[0].pid and status.port == port
    assert abs(status.since - time.time()) < 60

    with pytest.raises(EmbeddedAwsError, match=f"already runs on port {port}"):
        daemon.start(home, port + 1)

    assert daemon.stop(home) is True
    assert not _alive(found[0].pid)
    assert daemon.status(home).running is False
    assert daemon.stop(home) is False

    # The port is remembered, and so are the credentials.
    before = daemon.variables(home, "eu-west-1")
    again = daemon.start(home)
    assert again.port == port and again.pid != found[0].pid
    assert daemon.variables(home, "eu-west-1") == before
    assert before["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{port}" and before["AWS_REGION"] == "eu-west-1"
    assert (home / "credentials.json").stat().st_mode & 0o077 == 0

    daemon.destroy(home)
    assert not home.exists() and not _alive(again.pid)


def test_a_port_in_use_is_refused_by_number(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            EmbeddedAwsError, match=rf"Port {port} of 127\.0\.0\.1 is used by another program"
        ):
            daemon.start(home, port)
        assert daemon.status(home).running is False


def test_a_daemon_that_dies_at_start_is_reported_with_its_last_line(home: Path) -> None:
    home.mkdir()
    (home / "state").write_text("in the way of the folder of that name")
    with pytest.raises(EmbeddedAwsError, match=r"ended while starting: .*state"):
        daemon.start(home, _free_port())


def test_a_stale_record_is_not_believed_and_a_killed_daemon_is_replaced(home: Path) -> None:
    home.mkdir()
    (home / "daemon.json").write_text(json.dumps({"pid": os.getpid(), "port": 1, "started": "1"}))
    (home / "port.json").write_text(json.dumps({"port": _free_port()}))
    assert daemon.stop(home) is False  # this test is still alive to say so
    (home / "daemon.json").write_text("{not json")
    first = daemon.start(home)
    assert first.pid != os.getpid()

    os.kill(first.pid, signal.SIGKILL)
    second = daemon.start(home)
    assert second.port == first.port and second.pid != first.pid
    assert not _alive(first.pid)


def test_a_folder_of_others_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    (tmp_path / "daemon.lock").unlink(missing_ok=True)
    with pytest.raises(EmbeddedAwsError, match="not removed"):
        daemon.destroy(tmp_path)
    assert (tmp_path / "precious").exists()
