"""The Lambda Runtime API of one execution environment: serves invocations, receives their outcomes.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from queue import SimpleQueue

PREFIX = "/2018-06-01/runtime/"
MAX_RESPONSE_BYTES = 6_291_556


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One event for a handler."""

    request_id: str

    function_arn: str

    payload: bytes

    deadline_ms: int
    """Unix time in milliseconds."""

    trace_id: str = ""
    client_context: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What an execution environment reported."""

    kind: str
    """ready (initialized), response, error (the handler raised), init_error, too_large, exit (the process ended)."""

    request_id: str = ""
    body: bytes = b""
    error_type: str = ""


class RuntimeApi:
    """A listener on a loopback port.

    Each environment has its own port, since AWS's client sends nothing else that identifies the environment.
    """

    def __init__(self, report: Callable[[Outcome], None]) -> None:
        """report: called with every outcome, on the connection's thread."""
        self.report = report
        self._events: SimpleQueue[Invocation | None] = SimpleQueue()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._closed = threading.Event()
        threading.Thread(target=self._accept, name=f"runtime-api {self.address}", daemon=True).start()

    def send(self, invocation: Invocation) -> None:
        """Queue an invocation for the next `GET .../invocation/next`."""
        self._events.put(invocation)

    def next(self) -> Invocation | None:
        """Wait for an invocation. Returns None once closed."""
        return self._events.get()

    def close(self) -> None:
        """Stop listening, and disconnect a waiting client."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._events.put(None)
        # Wakes accept(), unless a connection of the environment has just done so.
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname()).close()

    def _accept(self) -> None:
        with self._listener:
            while True:
                connection, address = self._listener.accept()
                if self._closed.is_set():
                    connection.close()
                    return
                threading.Thread(target=self._serve, args=(connection, address), daemon=True).start()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        with connection:
            try:
                _Handler(connection, address, self)  # type: ignore[arg-type]
            except OSError:
                return  # the environment was ended during the response


class _Handler(BaseHTTPRequestHandler):
    """One keep-alive connection. `server` is the RuntimeApi."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: RuntimeApi  # type: ignore[assignment]

    def do_GET(self) -> None:
        if self._is_foreign():
            return
        if self.path != PREFIX + "invocation/next":
            return self._respond(HTTPStatus.NOT_FOUND)
        self.server.report(Outcome(kind="ready"))
        invocation = self.server.next()
        if invocation is None:
            self.close_connection = True
            return
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": invocation.trace_id,
            "Lambda-Runtime-Client-Context": invocation.client_context,
        }
        self._respond(HTTPStatus.OK, invocation.payload, {k: v for k, v in headers.items() if v})

    def do_POST(self) -> None:
        if self._is_foreign():
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        error_type = self.headers.get("Lambda-Runtime-Function-Error-Type", "")
        parts = self.path.removeprefix(PREFIX).split("/")
        if parts == ["init", "error"]:
            outcome = Outcome(kind="init_error", body=body, error_type=error_type)
        elif len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
            outcome = Outcome(kind=parts[2], request_id=parts[1], body=body, error_type=error_type)
            if len(body) > MAX_RESPONSE_BYTES:
                outcome = Outcome(kind="too_large", request_id=parts[1], body=str(len(body)).encode())
        else:
            return self._respond(HTTPStatus.NOT_FOUND)
        # Report before responding: after the response to init/error the client exits, which must be reported second.
        self.server.report(outcome)
        large = outcome.kind == "too_large"
        self._respond(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE if large else HTTPStatus.ACCEPTED, b'{"status":"OK"}'
        )

    def _is_foreign(self) -> bool:
        """Refuse requests that do not come from AWS's client: a web page could otherwise take events."""
        foreign = self.headers.get("Host") != self.server.address or "Origin" in self.headers
        if foreign:
            self._respond(HTTPStatus.FORBIDDEN)
            self.close_connection = True
        return foreign

    def _respond(self, status: HTTPStatus, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: requests are too frequent."""
