"""An instance of a variant: one process of the serving container, watched, restarted, asked over HTTP."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from embedded_aws import runtime

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).with_name("serving_container.py")
PING_TIMEOUT = 2.0  # seconds, as on AWS
PING_INTERVAL = 10.0  # seconds between health checks of a healthy instance
PINGS_MISSED = 3  # in a row: then the container is restarted
BACKOFF = (0.2, 30.0)  # seconds before a restart: first, at most
MODEL_TIMEOUT = 60.0  # seconds for a model to answer


class Instance:
    """Starts at once. `wait_ready` says whether it came up; later deaths are repaired in the background.

    environment: called before each start, for fresh credentials. write_log: takes decoded lines.
    """

    def __init__(
        self,
        folder: Path,
        environment: Callable[[], dict[str, str]],
        write_log: Callable[[str, list[str]], None],
        startup_timeout: float,
    ):
        self.id = f"i-{uuid.uuid4().hex[:17]}"
        self.healthy = False
        self.in_flight = 0
        self.pid = 0  # of the present container, which leads its process group
        self._folder, self._environment, self._write_log = folder, environment, write_log
        self._startup_timeout = startup_timeout
        self._in_service = False  # has passed a health check
        self._settled = threading.Event()  # that is known
        self._ending = threading.Event()
        self._exited = threading.Event()  # the present container has
        self._port = 0
        self._idle: list[http.client.HTTPConnection] = []
        self._keeper = threading.Thread(target=self._keep, name=f"instance-{self.id}", daemon=True)
        self._keeper.start()

    @property
    def starting(self) -> bool:
        """Whether the first start's health check is still to come."""
        return not self._settled.is_set()

    @property
    def came_up(self) -> bool:
        """Whether it has passed a health check."""
        return self._in_service

    def wait_ready(self, timeout: float | None = None) -> bool:
        """Whether the first start passed its health check, within `timeout` seconds."""
        self._settled.wait(timeout)
        return self._in_service

    def end(self) -> None:
        """Stop for good."""
        self.healthy = False
        self._ending.set()
        self._exited.set()  # wakes the keeper, which ends the container
        self._keeper.join()

    def kill(self) -> None:
        """Stop for good, at once and without waiting: requests under way get no answer."""
        self.healthy = False
        self._ending.set()
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self.pid, signal.SIGKILL)
        self._exited.set()

    def ask(
        self, method: str, path: str, body: bytes, headers: dict[str, str], timeout: float = MODEL_TIMEOUT
    ):
        """(status, headers, body) of one HTTP request to the container.

        Raises TimeoutError, or another OSError or HTTPException if the container cannot be reached or went away.
        """
        while True:
            connection, reused = self._connection(timeout)
            try:
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                if reused and not isinstance(error, TimeoutError) and not self._ending.is_set():
                    continue  # the container had closed it while idle
                raise
            if answer.will_close:
                connection.close()
            else:
                self._idle.append(connection)
            return answer.status, answer.headers, content

    def _connection(self, timeout: float) -> tuple[http.client.HTTPConnection, bool]:
        try:
            connection = self._idle.pop()
        except IndexError:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout), False
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection, True

    def _keep(self) -> None:
        """Start the container, watch it, start it again when it dies, until `end`."""
        delay = BACKOFF[0]
        while not self._ending.is_set() and not runtime.current().stopping.is_set():
            came_up = self._serve()
            if not self._in_service:
                break
            delay = BACKOFF[0] if came_up else min(2 * delay, BACKOFF[1])
            self._ending.wait(delay)
        self._settled.set()

    def _serve(self) -> bool:
        """One life of the container; whether it passed its first health check."""
        exited = self._exited = threading.Event()
        try:
            process = self._start(exited)
        except Exception as error:  # a role that is gone, a full process table: the restart tries again
            log.warning("instance %s did not start: %s", self.id, error)
            return False
        came_up = self.healthy = self._comes_up(exited)
        if came_up:
            self._in_service = True
            self._settled.set()
            self._watch(exited)
            self.healthy = False
        runtime.current().supervisor.end(process, grace=2.0)
        return came_up

    def _start(self, exited: threading.Event) -> subprocess.Popen:
        """Spawn the container; `exited` is set when it is gone."""
        self._port, self._idle = _free_port(), []
        inherited = self._environment()
        process = runtime.current().supervisor.spawn(
            [sys.executable, str(PROGRAM)],
            env={
                **inherited,
                "PYTHONPATH": os.pathsep.join((str(self._folder), str(self._folder / "code"))),
                "PYTHONUNBUFFERED": "1",
                "PYTHONDONTWRITEBYTECODE": "1",  # the folder is shared by the variant's instances
                "SM_MODEL_DIR": str(self._folder),
                "SAGEMAKER_BIND_TO_PORT": str(self._port),
            },
            cwd=self._folder,
        )
        self.pid = process.pid
        threading.Thread(target=self._read_log, args=(process, exited), daemon=True).start()
        return process

    def _read_log(self, process: subprocess.Popen, exited: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._write_log(self.id, [line.decode(errors="replace").rstrip("\n")])
        process.wait()
        exited.set()

    def _comes_up(self, exited: threading.Event) -> bool:
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
            return self.ask("GET", "/ping", b"", {}, PING_TIMEOUT)[0] == 200
        except (OSError, http.client.HTTPException):
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
