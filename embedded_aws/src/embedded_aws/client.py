"""Starts, finds and ends the embedded AWS from another process. moto is not imported here, nor is anything
else beyond the standard library by what every command calls."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from embedded_aws import credentials
from embedded_aws.errors import EmbeddedAwsError

FIRST_PORT = 5005
START_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Address:
    """Where a running embedded AWS answers."""

    home: Path
    port: int
    pid: int

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Status:
    """running: whether it answers. since: seconds of the epoch. processes: children it runs (jobs, endpoints, ...)."""

    running: bool
    home: Path
    port: int | None = None
    pid: int | None = None
    since: float | None = None
    time_scale: float | None = None
    processes: int = 0


def start(home: Path, port: int | None = None, time_scale: float = 1.0) -> Address:
    """Start the embedded AWS on `home`, or find the one that runs there.

    port: None for the one it had before, or the first free from 5005. time_scale: how many times faster than real
    time its service clocks run; a running one keeps its own. Raises EmbeddedAwsError.
    """
    home = home.resolve()
    with _alone(home):
        found = status(home)
        if found.running:
            if port not in (None, found.port):
                raise EmbeddedAwsError(
                    f"The embedded AWS of {home} already runs on port {found.port}, not {port}: stop it first, "
                    "or leave the port out."
                )
            return Address(home, found.port, found.pid)  # type: ignore[arg-type]
        _end_unresponsive(home)
        chosen = _choose_port(home, port)
        pid = _launch(home, chosen, time_scale)
        _write(home / "port.json", {"port": chosen})
        return Address(home, chosen, pid)


def stop(home: Path) -> bool:
    """End the embedded AWS of `home`, with every process it runs; its state is kept. False if none was running."""
    home = home.resolve()
    if not home.is_dir():
        return False
    with _alone(home):
        found = status(home)
        pid = found.pid if found.running else _recorded_pid(home)
        if pid is None:
            return False
        _end(pid)
        (home / "daemon.json").unlink(missing_ok=True)
        return True


def destroy(home: Path) -> None:
    """End the embedded AWS of `home` and remove all it keeps: state, objects, credentials, logs."""
    home = home.resolve()
    if not home.is_dir():
        return
    if not (home / "daemon.lock").exists() and any(home.iterdir()):
        raise EmbeddedAwsError(f"{home} was not made by the embedded AWS: it is not removed.")
    stop(home)
    shutil.rmtree(home)


def status(home: Path) -> Status:
    """What runs on `home`. It is known by the home folder it reports, not by a process number alone."""
    home = home.resolve()
    port = _read(home / "port.json").get("port")
    health = _health(port) if port else None
    if health is None or health.get("home") != str(home):
        return Status(running=False, home=home, port=port)
    return Status(
        running=True,
        home=home,
        port=port,
        pid=health["pid"],
        since=time.time() - health["uptime"],
        time_scale=health["time_scale"],
        processes=health["processes"],
    )


def variables(home: Path, region: str) -> dict[str, str]:
    """The environment that points any AWS tool at the embedded AWS of `home`. Raises EmbeddedAwsError if none ran yet."""
    home = home.resolve()
    port = _read(home / "port.json").get("port")
    if port is None:
        raise EmbeddedAwsError(f"No embedded AWS was started on {home} yet: start it first.")
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        **credentials.root(home).variables(),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def interrupt(home: Path, region: str, training_job: str, seconds: int = 0) -> None:
    """Take the instances of a running spot training job away, with AWS's notice, for `seconds` at least.

    Raises EmbeddedAwsError: nothing runs on `home`, there is no such job, or it cannot be interrupted now.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    found = status(home)
    if not found.running:
        raise EmbeddedAwsError(f"No embedded AWS runs on {home}: start it first.")
    url = f"http://127.0.0.1:{found.port}/_local/interrupt/{quote(training_job, safe='')}?seconds={seconds}"
    root = credentials.root(found.home)
    request = AWSRequest("POST", url)
    SigV4Auth(Credentials(root.aws_access_key_id, root.aws_secret_access_key), "local", region).add_auth(
        request
    )
    signed = urllib.request.Request(url, method="POST", headers=dict(request.headers))
    try:
        _opener().open(signed, timeout=30).close()
    except urllib.error.HTTPError as error:
        raise EmbeddedAwsError(json.loads(error.read())["message"]) from None


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the home's lock: of two commands at once, the second waits and then finds what the first did."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "daemon.lock").open("a")
    except OSError as error:
        raise EmbeddedAwsError(
            f"The folder {home} of the embedded AWS cannot be used: {error.strerror}."
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _choose_port(home: Path, wanted: int | None) -> int:
    remembered = _read(home / "port.json").get("port")
    fixed = wanted or remembered
    if fixed:
        if _free(fixed):
            return fixed
        hint = (
            "choose another one" if wanted else f"end that program, or start with another port than {fixed}"
        )
        raise EmbeddedAwsError(f"Port {fixed} of 127.0.0.1 is used by another program: {hint}.")
    for port in range(FIRST_PORT, FIRST_PORT + 100):
        if _free(port):
            return port
    raise EmbeddedAwsError(f"No port from {FIRST_PORT} to {FIRST_PORT + 99} is free: choose one.")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def _launch(home: Path, port: int, time_scale: float) -> int:
    """Start the daemon in a session of its own and wait until it answers. Returns its process number."""
    (home / "log").mkdir(exist_ok=True)
    output = home / "log" / "start.log"
    command = [sys.executable, "-m", "embedded_aws", "serve", "--home", str(home), "--port", str(port)]
    command += ["--time-scale", str(time_scale)]
    with output.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _write(home / "daemon.json", {"pid": process.pid, "port": port, "started": _start_time(process.pid)})
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        health = _health(port)
        if health and health.get("home") == str(home):
            return health["pid"]
        if process.poll() is not None:
            lines = output.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise EmbeddedAwsError(f"The embedded AWS ended while starting: {lines[-1]} (more in {output}).")
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise EmbeddedAwsError(
        f"The embedded AWS did not answer within {START_SECONDS:.0f} s; its log is {output}."
    )


def _environment() -> dict[str, str]:
    """This process's, less what would change the daemon's own behaviour."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_", "TF_"))}
    return {**kept, "MALLOC_ARENA_MAX": "2"}  # a heap per thread would double the memory


def _opener() -> urllib.request.OpenerDirector:
    """Without a proxy: it is this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _health(port: int) -> dict[str, Any] | None:
    try:
        with _opener().open(f"http://127.0.0.1:{port}/_local/health", timeout=5) as response:
            answer = json.loads(response.read())
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _end_unresponsive(home: Path) -> None:
    """End a daemon of this home that lives but does not answer, so that two never share one state."""
    pid = _recorded_pid(home)
    if pid is not None:
        _end(pid, seconds=5.0)


def _recorded_pid(home: Path) -> int | None:
    """The process number of the last start, if it is still that process."""
    record = _read(home / "daemon.json")
    pid = record.get("pid")
    if pid is None or record.get("started") is None or _start_time(pid) != record["started"]:
        return None
    return pid


def _start_time(pid: int) -> str | None:
    """When a process started, in the system's own units: tells a process from a later one of the same number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    listed = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip() or None


def _end(pid: int, seconds: float = STOP_SECONDS) -> None:
    """SIGTERM, time to save the state, SIGKILL."""
    started = _start_time(pid)
    if started is None:
        return
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 5.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            _reap(pid)
            if _start_time(pid) != started:
                return
            time.sleep(0.02)
    raise EmbeddedAwsError(f"The embedded AWS (process {pid}) does not end.")


def _reap(pid: int) -> None:
    """A daemon started by this very process stays a zombie until waited for."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _write(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(json.dumps(content))
    draft.replace(path)
