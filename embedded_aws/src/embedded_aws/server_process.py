"""The server as a background process: launched, found by port and process id, ended. Standard library only."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from embedded_aws import child_environment
from embedded_aws.errors import EmbeddedAwsError
from embedded_aws.listener import port_of

OWNER = "EMBEDDED_AWS_OWNER"  # id of a process without which the server is to stop
START_SECONDS = 60.0
STOP_SECONDS = 30.0


def launch(home: Path, listener: socket.socket, time_scale: float) -> int:
    """Start the server in its own session and wait until it answers. Returns its process id.

    listener: its listening socket; closed here.
    """
    (home / "log").mkdir(exist_ok=True)
    output = home / "log" / "start.log"
    port = port_of(listener)
    command = [sys.executable, "-m", "embedded_aws", "serve", "--home", str(home), "--port", str(port)]
    command += ["--time-scale", str(time_scale), "--socket", str(listener.fileno())]
    if owner := os.environ.get(OWNER):
        command += ["--owner", owner]
    with listener, output.open("wb") as log:  # if the server ends, connections are refused
        process = subprocess.Popen(
            command,
            cwd=home,
            env=child_environment.of_server(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[listener.fileno()],
        )
    _write(_record(home), {"pid": process.pid, "port": port, "started": start_time(process.pid)})
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = health(port)
        if found and found.get("home") == str(home):
            _write(home / "port.json", {"port": port})
            return int(found["pid"])
        if process.poll() is not None:
            lines = output.read_text(errors="replace", encoding="utf-8").strip().splitlines() or ["no output"]
            raise EmbeddedAwsError(f"The embedded AWS ended while starting: {lines[-1]} (more in {output}).")
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise EmbeddedAwsError(
        f"The embedded AWS did not answer within {START_SECONDS:.0f} s. Its log is {output}."
    )


def end(pid: int, seconds: float = STOP_SECONDS) -> None:
    """End a server: SIGTERM, time to save the state, SIGKILL."""
    started = start_time(pid)
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
            if start_time(pid) != started:
                return
            time.sleep(0.02)
    raise EmbeddedAwsError(f"The embedded AWS (process {pid}) does not end.")


def health(port: int) -> dict[str, Any] | None:
    """Return what the server on a port reports about itself, or None if none answers."""
    try:
        with opener().open(f"http://127.0.0.1:{port}/_local/health", timeout=5) as response:
            answer = json.loads(response.read())
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def opener() -> urllib.request.OpenerDirector:
    """Return an opener without proxies: the server is on this machine."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def recorded_port(home: Path) -> int | None:
    """Return the port of the last start."""
    return _read(home / "port.json").get("port")


def recorded_pid(home: Path) -> int | None:
    """Return the process id of the last start, if that process still runs."""
    record = _read(_record(home))
    pid = record.get("pid")
    if pid is None or record.get("started") is None or start_time(pid) != record["started"]:
        return None
    return int(pid)


def forget(home: Path) -> None:
    """Remove the record of the last start."""
    _record(home).unlink(missing_ok=True)


def start_time(pid: int) -> str | None:
    """Return when a process started, in the system's units, or None if it has ended.

    Tells a process from a later one with the same id.
    """
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
        return None if fields[0] == "Z" else fields[19]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    listed = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        env=child_environment.of_program(),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return listed.stdout.strip() or None


def _reap(pid: int) -> None:
    """Collect a server that this process started: it would stay a zombie otherwise."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _record(home: Path) -> Path:
    return home / "daemon.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, content: dict[str, Any]) -> None:
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)
