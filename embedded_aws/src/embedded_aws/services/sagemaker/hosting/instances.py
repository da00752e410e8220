"""An instance of a variant: one process of the serving container, health-checked and restarted."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import shutil
import signal
import socket
import subprocess
import threading
import uuid
from collections.abc import Callable
from email.message import Message
from pathlib import Path

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.hosting.disk import ModelDisk

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).with_name("serving_container.py")
PING_TIMEOUT = 2.0  # seconds, as on AWS
PING_INTERVAL = 10.0  # seconds between health checks of a healthy instance
PINGS_MISSED = 3  # failed health checks in a row after which the container is restarted
BACKOFF = (0.2, 30.0)  # seconds before a restart: of the first one, and the maximum
MODEL_TIMEOUT = 60.0  # seconds for a model to answer


class Instance:
    """A container that starts at once and is restarted when it dies or fails its health checks."""

    def __init__(
        self,
        runtime: Runtime,
        disk: ModelDisk,
        environment: Callable[[], dict[str, str]],
        write_log: Callable[[str, list[str]], None],
        startup_timeout: float,
    ):
        """Start the container in the background.

        disk: with the unpacked model.
        environment: called before each start, for new credentials.
        write_log: called with the instance's id and decoded lines.
        startup_timeout: seconds until the first health check must have passed.
        """
        self.id = f"i-{uuid.uuid4().hex[:17]}"
        self.healthy = False
        self.in_flight = 0
        self.pid = 0  # of the running container, which leads its process group
        self._supervisor, self._stopping = runtime.supervisor, runtime.stopping
        self._disk, self._environment, self._write_log = disk, environment, write_log
        self._root = disk.folder.with_name(f"{disk.folder.name}.{self.id}")  # the container's own files
        self._startup_timeout = startup_timeout
        self._came_up = False
        self._started = threading.Event()  # set once the first start has succeeded or failed
        self._ending = threading.Event()
        self._exited = threading.Event()  # set when the running container exits
        self._port = 0
        self._idle: list[http.client.HTTPConnection] = []
        self._thread = threading.Thread(target=self._run, name=f"instance-{self.id}", daemon=True)
        self._thread.start()

    @property
    def starting(self) -> bool:
        """Whether the first start is still in progress."""
        return not self._started.is_set()

    @property
    def came_up(self) -> bool:
        """Whether it has ever passed a health check."""
        return self._came_up

    def wait_ready(self, timeout: float | None = None) -> bool:
        """Wait for the first start. Return whether it passed its health check within `timeout` seconds."""
        self._started.wait(timeout)
        return self._came_up

    def end(self) -> None:
        """End the container and do not restart it."""
        self.healthy = False
        self._ending.set()
        self._exited.set()  # wakes the thread, which ends the container
        self._thread.join()

    def kill(self) -> None:
        """Kill the container without waiting. Running requests get no response."""
        self.healthy = False
        self._ending.set()
        with contextlib.suppress(ProcessLookupError):  # it has already ended
            os.killpg(self.pid, signal.SIGKILL)
        self._exited.set()

    def request(
        self, method: str, path: str, body: bytes, headers: dict[str, str], timeout: float = MODEL_TIMEOUT
    ) -> tuple[int, Message, bytes]:
        """Send an HTTP request to the container; return status, headers and body.

        Raises TimeoutError, or another OSError or HTTPException if the connection fails.
        """
        while True:
            connection, reused = self._connection(timeout)
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                content = response.read()
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                if reused and not isinstance(error, TimeoutError) and not self._ending.is_set():
                    continue  # the container closed the idle connection
                raise
            if response.will_close:
                connection.close()
            else:
                self._idle.append(connection)
            return response.status, response.headers, content

    def _connection(self, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
        try:
            connection = self._idle.pop()
        except IndexError:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout), False
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection, True

    def _run(self) -> None:
        """Run the container and restart it when it ends, until `end`. Give up if the first start fails."""
        delay = BACKOFF[0]
        while not self._ending.is_set() and not self._stopping.is_set():
            came_up = self._run_once()
            if not self._came_up:
                break
            delay = BACKOFF[0] if came_up else min(2 * delay, BACKOFF[1])
            self._ending.wait(delay)
        self._started.set()

    def _run_once(self) -> bool:
        """Run the container until it ends. Return whether it passed its first health check."""
        exited = self._exited = threading.Event()
        try:
            process = self._start(exited)
        except Exception as error:  # for example a deleted role: the next restart may succeed
            log.warning("instance %s did not start: %s", self.id, error)
            return False
        came_up = self.healthy = self._wait_until_healthy(exited)
        if came_up:
            self._came_up = True
            self._started.set()
            self._watch(exited)
            self.healthy = False
        self._supervisor.end(process, grace=2.0)
        shutil.rmtree(self._root, ignore_errors=True)
        return came_up

    def _start(self, exited: threading.Event) -> subprocess.Popen[bytes]:
        """Start the process, which sets `exited` when it ends."""
        self._port, self._idle = _free_port(), []
        process = self._supervisor.spawn(
            self._disk.command([self._disk.python, str(PROGRAM)], self._root),
            env={
                **self._environment(),
                **self._disk.variables(self._root),
                "PYTHONUNBUFFERED": "1",
                "PYTHONDONTWRITEBYTECODE": "1",  # all instances of the variant share the folder
                "SAGEMAKER_BIND_TO_PORT": str(self._port),
            },
            cwd=self._disk.folder,
        )
        self.pid = process.pid
        threading.Thread(target=self._read_log, args=(process, exited), daemon=True).start()
        return process

    def _read_log(self, process: subprocess.Popen[bytes], exited: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._write_log(self.id, [line.decode(errors="replace").rstrip("\n")])
        process.wait()
        exited.set()

    def _wait_until_healthy(self, exited: threading.Event) -> bool:
        waited = 0.0
        while waited < self._startup_timeout and not self._ending.is_set():
            if self._ping():
                return True
            if exited.wait(0.05):
                return False
            waited += 0.05
        return False

    def _watch(self, exited: threading.Event) -> None:
        missed = 0
        while not self._ending.is_set() and missed < PINGS_MISSED and not exited.wait(PING_INTERVAL):
            missed = 0 if self._ping() else missed + 1

    def _ping(self) -> bool:
        try:
            return self.request("GET", "/ping", b"", {}, PING_TIMEOUT)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
