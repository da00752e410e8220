"""HTTP/1.1 server for one WSGI application on 127.0.0.1: threads, keep-alive, one write per response."""

from __future__ import annotations

import io
import logging
import socket
import sys
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler

from embedded_aws.wsgi import Application

access_log = logging.getLogger("embedded_aws.requests")
log = logging.getLogger("embedded_aws")


class Handler(MotoRequestHandler):
    """Reads the whole request before the application runs, so that the connection can be reused.

    werkzeug's handler closes every connection: a new thread and handshake per request.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 64 * 1024
    server: Server  # type: ignore[assignment]
    _headers_buffer: list[bytes]

    def handle(self) -> None:
        self.close_connection = True
        try:
            self.handle_one_request()
            while not self.close_connection:
                self.handle_one_request()
        except (ConnectionError, TimeoutError):
            return  # the client disconnected

    def run_wsgi(self) -> None:
        started = time.perf_counter()
        environ = self.make_environ()
        if environ.pop("wsgi.input_terminated", None):
            body = environ["wsgi.input"].read()  # chunked
        else:
            length = environ.get("CONTENT_LENGTH") or "0"
            if not length.isdecimal():
                self.close_connection = True
                self.send_error(400)
                return
            body = self.rfile.read(int(length))
            if len(body) < int(length):
                self.close_connection = True  # the client disconnected: ignore the partial request
                return
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        status, headers, content = self._run(environ)
        self._send(status, headers, content)
        if access_log.isEnabledFor(logging.INFO):
            milliseconds = (time.perf_counter() - started) * 1000
            access_log.info(
                "%s %s %s %d %.1f ms", self.command, self.path, status.split()[0], len(content), milliseconds
            )

    def _run(self, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        answer: list[Any] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], None]:
            answer[:] = [status, headers]
            return lambda data: None

        try:
            result = self.server.app(environ, start_response)
            try:
                content = b"".join(result)
            finally:
                if hasattr(result, "close"):
                    result.close()
        except Exception:
            log.exception("%s %s", self.command, self.path)
            return "500 Internal Server Error", [("Content-Type", "text/plain")], b"InternalFailure"
        return answer[0], answer[1], content

    def _send(self, status: str, headers: list[tuple[str, str]], content: bytes) -> None:
        code, _, phrase = status.partition(" ")
        self.send_response_only(int(code), phrase)
        names = {name.lower() for name, _ in headers}
        for name, value in headers:
            if name.lower() not in ("connection", "transfer-encoding"):
                self.send_header(name, value)
        if "date" not in names:
            self.send_header("Date", self.date_time_string())
        if "content-length" not in names and code not in ("204", "304") and not code.startswith("1"):
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        head = b"".join(self._headers_buffer) + b"\r\n"
        self._headers_buffer = []
        self.wfile.write(head if self.command == "HEAD" else head + content)

    def log_request(self, *args: Any) -> None:
        """Do nothing: requests are logged after the response."""

    def log_message(self, format: str, *args: Any) -> None:
        log.warning(format, *args)


class Server(ThreadingHTTPServer):
    """Listens on 127.0.0.1 only."""

    daemon_threads = True
    request_queue_size = 256
    multithread, multiprocess, ssl_context = True, False, None  # read by werkzeug's handler

    def __init__(self, port: int, app: Application, listener: socket.socket | None = None):
        """listener: a socket that listens on the port already; by default a new one."""
        self.app = app
        super().__init__(("127.0.0.1", port), Handler, bind_and_activate=listener is None)
        if listener is not None:
            self.socket.close()
            self.socket = listener
            self._take_address()

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self._take_address()

    def _take_address(self) -> None:
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = (
            self.socket.getsockname()
        )  # without a DNS lookup of the host name

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError):
            log.exception("connection from %s", client_address)
