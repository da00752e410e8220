"""Start, find and stop an embedded AWS from another process. The one public module of the package.

    from pathlib import Path
    from embedded_aws import client

    home = Path(".embedded_aws")
    client.start(home)                               # or find the one that runs there
    os.environ |= client.variables(home, "us-east-1")  # now any AWS SDK or tool uses it
    client.stop(home)                                # the state stays in `home`

Every function raises EmbeddedAwsError with one sentence: what is wrong and what to do.
Imports only the standard library (and botocore in `interrupt`), so that commands start fast.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from embedded_aws import child_environment, credentials, listener, server_process
from embedded_aws.errors import EmbeddedAwsError

__all__ = [
    "Address",
    "EmbeddedAwsError",
    "Status",
    "conflicting",
    "destroy",
    "interrupt",
    "isolation",
    "start",
    "status",
    "stop",
    "variables",
]


@dataclass(frozen=True)
class Address:
    """Address of a running embedded AWS."""

    home: Path
    """Folder of its state."""

    port: int
    """Port on 127.0.0.1."""

    pid: int
    """Process id of the server."""

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Status:
    """Status of the embedded AWS of a home folder."""

    running: bool
    """Whether it answers requests."""

    home: Path
    """Folder of its state."""

    port: int | None = None
    """Port on 127.0.0.1; when stopped, the port of the next start. None before the first start."""

    pid: int | None = None
    """Process id of the server."""

    since: float | None = None
    """Start time in Unix seconds."""

    time_scale: float | None = None
    """How many times faster than real time its service clocks run."""

    processes: int = 0
    """Child processes: jobs, endpoints, functions, instances."""


def start(home: Path, port: int | None = None, time_scale: float = 1.0) -> Address:
    """Start the embedded AWS of a home folder, or return the address of the running one.

    port: by default the port of the last start, or the first free port from 5005 if that one is used now; 0 lets the
        system choose a free one.
    time_scale: how many times faster than real time service clocks run. A running server keeps its own.
    """
    home = home.resolve()
    with _exclusive_lock(home):
        found = status(home)
        if found.port is not None and found.pid is not None:
            if port not in (None, listener.ANY_PORT, found.port):
                raise EmbeddedAwsError(
                    f"The embedded AWS of {home} already runs on port {found.port}, not {port}. Stop it first, or "
                    "leave out the port."
                )
            return Address(home, found.port, found.pid)
        unresponsive = server_process.recorded_pid(home)
        if unresponsive is not None:  # two servers must never share one state
            server_process.end(unresponsive, seconds=5.0)
        reserved = listener.listen(home, port, server_process.recorded_port(home))
        chosen = listener.port_of(reserved)
        return Address(home, chosen, server_process.launch(home, reserved, time_scale))


def stop(home: Path) -> bool:
    """Stop the embedded AWS of a home folder and all its processes; keep its state.

    Returns False if none was running.
    """
    home = home.resolve()
    if not home.is_dir():
        return False
    with _exclusive_lock(home):
        pid = status(home).pid or server_process.recorded_pid(home)
        if pid is None:
            return False
        server_process.end(pid)
        server_process.forget(home)
        return True


def destroy(home: Path) -> None:
    """Stop the embedded AWS of a home folder and delete the folder: state, objects, credentials, logs."""
    home = home.resolve()
    if not home.is_dir():
        return
    if not _lock_file(home).exists() and any(home.iterdir()):
        raise EmbeddedAwsError(f"{home} was not created by the embedded AWS: not removed.")
    stop(home)
    shutil.rmtree(home)


def status(home: Path) -> Status:
    """Return the status of a home folder. A server counts only if it reports this home folder."""
    home = home.resolve()
    port = server_process.recorded_port(home)
    health = server_process.health(port) if port else None
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
    """Return the environment variables that point AWS SDKs and tools at the embedded AWS, as root.

    With them, no file of ~/.aws is read, and a proxy is not used for this machine's addresses. Unset those that
    `conflicting` names.
    """
    home = home.resolve()
    port = server_process.recorded_port(home)
    if port is None:
        raise EmbeddedAwsError(f"No embedded AWS was ever started in {home}: start it first.")
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        **credentials.root(home).variables(),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **isolation(),
    }


def isolation() -> dict[str, str]:
    """Return the variables with which no file of ~/.aws is read, and no proxy used for this machine's addresses."""
    return {
        "AWS_EC2_METADATA_DISABLED": "true",
        **child_environment.NO_AWS_FILES,
        **child_environment.no_proxy(),
    }


def conflicting(names: Iterable[str]) -> list[str]:
    """Return those of some variables' names that could send requests elsewhere, unless `variables` replaces them."""
    return [name for name in names if name.startswith("AWS_") or name == "BOTO_CONFIG"]


def interrupt(home: Path, region: str, name: str, seconds: int = 0) -> None:
    """Interrupt spot capacity, with AWS's notice.

    name: a running spot training job, or the id of a Spot Instance.
    seconds: for a training job, the minimum time until new instances are available.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    found = status(home)
    if not found.running:
        raise EmbeddedAwsError(f"No embedded AWS runs in {found.home}: start it first.")
    url = f"http://127.0.0.1:{found.port}/_local/interrupt/{quote(name, safe='')}?seconds={seconds}"
    root = credentials.root(found.home)
    keys = Credentials(root.aws_access_key_id, root.aws_secret_access_key)
    request = AWSRequest("POST", url)
    SigV4Auth(keys, "local", region).add_auth(request)
    signed = urllib.request.Request(url, method="POST", headers=dict(request.headers))
    try:
        server_process.opener().open(signed, timeout=30).close()
    except urllib.error.HTTPError as error:
        raise EmbeddedAwsError(_message(error)) from None
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise EmbeddedAwsError(
            f"The embedded AWS of {found.home} stopped answering ({error}): start it, and check whether {name} still runs."
        ) from None


def _message(error: urllib.error.HTTPError) -> str:
    """Return the message of an error response."""
    try:
        return str(json.loads(error.read())["message"])
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException):
        return f"The embedded AWS answered with HTTP status {error.code}: its log is log/service.log in its home folder."


def _lock_file(home: Path) -> Path:
    return home / "daemon.lock"


@contextmanager
def _exclusive_lock(home: Path) -> Iterator[None]:
    """Hold the lock of a home folder: of two commands at once, the second waits and finds what the first did."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = _lock_file(home).open("a", encoding="utf-8")
    except OSError as error:
        raise EmbeddedAwsError(
            f"The home folder {home} of the embedded AWS cannot be used: {error.strerror}."
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
