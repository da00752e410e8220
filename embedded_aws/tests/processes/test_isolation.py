"""Containers: what their programs see and can change, and what is left of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded_aws.processes.isolation.container import Container, Network, NotSupported, refusal
from embedded_aws.processes.supervisor import Supervisor

pytestmark = [
    pytest.mark.slow,  # starts processes
    pytest.mark.skipif(bool(refusal(Supervisor())), reason="this system does not allow namespaces"),
]

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    made = Supervisor()
    yield made
    made.end_all()


@pytest.fixture
def run(supervisor: Supervisor) -> Run:
    """Return a function that runs a shell command in a container. It returns exit status and output."""

    def run(container: Container, command: str) -> tuple[int, str]:
        child = supervisor.spawn(
            container.command(["/bin/sh", "-c", command]), env={"PATH": os.environ["PATH"]}, cwd=Path("/")
        )
        output = child.communicate(timeout=60)[0].decode()
        return child.returncode, output

    return run


def test_own_folders_are_writable_and_everything_else_is_not(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ml").mkdir()
    before = sorted(os.listdir("/opt"))
    container = Container(own={"/opt/ml": tmp_path / "ml"}, directory="/opt/ml")
    command = (
        "pwd; echo x > model && ls /opt; for d in / /opt /etc /usr /var /home; do touch $d/new 2>&1; done"
    )
    status, output = run(container, command)
    lines = output.splitlines()
    assert status == 1 and lines[0] == "/opt/ml"
    refusals = [line for line in lines if "Read-only file system" in line]
    assert len(refusals) == 6
    assert sorted(lines[1 : -len(refusals)]) == sorted({*before, "ml"})
    assert (tmp_path / "ml/model").read_text() == "x\n"
    assert sorted(os.listdir("/opt")) == before  # on this machine, nothing was created for it


def test_folders_below_each_other_are_shown_each_with_its_own_content(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ml").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_text("w")
    container = Container(own={"/opt/ml": tmp_path / "ml"}, read_only={"/opt/ml/model": tmp_path / "model"})
    status, output = run(container, "cat /opt/ml/model/weights; touch /opt/ml/a /opt/ml/model/b")
    assert (status, output.startswith("w")) == (1, True)
    assert "'/opt/ml/model/b': Read-only" in output and "/opt/ml/a" not in output


def test_a_folder_in_memory_is_empty_and_as_large_as_requested(run: Run) -> None:
    command = "ls -A /tmp; head -c 900000 /dev/zero > /tmp/a && head -c 200000 /dev/zero > /tmp/b"
    status, output = run(Container(memory={"/tmp": 2**20}), command)
    assert status == 1 and "No space left on device" in output


def test_hidden_folders_are_empty_and_python_stays_visible(run: Run, tmp_path: Path) -> None:
    """The folders of Python and its packages may lie below a path that the container has its own folder at."""
    (tmp_path / "secret").touch()
    own = {f"/{Path(sys.prefix).parts[1]}": tmp_path / "own"}
    (tmp_path / "own").mkdir()
    container = Container(own=own, hidden=(tmp_path,))
    assert run(
        container, f"ls -A {tmp_path} 2>/dev/null; {sys.executable} -c 'import embedded_aws.runtime'"
    ) == (
        0,
        "",
    )


def test_a_program_cannot_change_its_mounts(run: Run) -> None:
    status, output = run(Container(options=("--root",)), "id -u; mount -o remount,rw / 2>&1; touch /etc/new")
    assert status == 1 and output.startswith("0\n")
    assert "Read-only file system" in output


def test_a_program_that_cannot_be_started_is_reported(supervisor: Supervisor, tmp_path: Path) -> None:
    container = Container(own={"/opt/ml": tmp_path}, report="/opt/ml/failure")
    child = supervisor.spawn(container.command(["/no/such"]), env={}, cwd=Path("/"))
    assert child.wait(60) == 127
    assert (tmp_path / "failure").read_text() == (
        "The entrypoint could not be started: [Errno 2] No such file or directory: '/no/such'"
    )


def test_the_first_process_takes_all_others_along(
    supervisor: Supervisor, until: Callable[..., object]
) -> None:
    marker = f"{3700 + os.getpid() % 100}.{os.getpid()}"
    container = Container(options=("--processes", "--root"))
    command = container.command(["/bin/sh", "-c", f"echo $$; setsid sleep {marker} & exec sleep {marker}"])
    child = supervisor.spawn(command, env={"PATH": os.environ["PATH"]}, cwd=Path("/"))

    def sleeping() -> int:
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        return listed.splitlines().count(f"sleep {marker}")

    assert child.stdout and child.stdout.readline() == b"1\n"
    until(lambda: sleeping() == 2)
    os.killpg(child.pid, signal.SIGKILL)
    until(lambda: sleeping() == 0)


def test_containers_share_an_isolated_network(supervisor: Supervisor, run: Run) -> None:
    with Network(supervisor) as network:
        status, output = run(Container(network=network.holder), "cat /proc/net/dev /proc/net/route")
    assert status == 0
    assert [line.split(":")[0].strip() for line in output.splitlines() if ":" in line] == ["lo"]
    assert supervisor.count() == 0


def test_a_kernel_that_refuses_is_recognized(run: Run) -> None:
    """The kernel's own limit of user namespaces, set to none within a container."""
    program = (
        "from embedded_aws.processes.isolation.container import *; s = Supervisor(); print(refusal(s))\\n"
        "try: Network(s).__enter__()\\nexcept NotSupported as e: print(e)"
    )
    command = f"echo 0 > /proc/sys/user/max_user_namespaces; printf '{program}' | {sys.executable} -"
    status, output = run(Container(options=("--root",), memory={"/tmp": 2**20}), command)
    assert status == 0
    assert output.count("No space left on device: 'namespaces'") == 2, output


def test_a_refused_network_is_reported(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    refusing = ("/bin/sh", "-c", "echo 'PermissionError: not permitted'; exit 125")
    monkeypatch.setattr("embedded_aws.processes.isolation.container.ENTER", refusing)
    with pytest.raises(NotSupported, match="PermissionError: not permitted"):
        Network(supervisor).__enter__()
    assert supervisor.count() == 0
    assert refusal(Supervisor()) == "PermissionError: not permitted"
