"""An HTTP proxy in front of an account: forwards, answers with errors, drops connections, or is unreachable."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pipeline.faults import answers

_CHUNK = 1 << 16
_SECONDS = 300  # a request that takes longer is cut


@dataclass(frozen=True)
class Request:
    """A request of an AWS client.

    service: as in its signature, such as "sagemaker"; empty without one.
    content_type: of its body.
    """

    service: str
    content_type: str


Disturbance = Callable[[Request], bytes | None]
"""Returns the answer to send instead of forwarding a request; b"" drops the connection, None forwards it."""


class Proxy:
    """Listens on a port of its own. A context manager that ends it.

    disturb: decides about each request.
    """

    def __init__(self, upstream: str) -> None:
        """Listen on the host of `upstream`, the account's URL."""
        self._host = urlsplit(upstream).hostname or ""
        self._server: _Server | None = None
        self.disturb: Disturbance = _forward
        self._resumed = threading.Event()
        self.port = 0
        self.forward(upstream)

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}"

    def forward(self, upstream: str) -> None:
        """Forward requests to a URL, on the same port as ever, without a disturbance."""
        self.refuse()
        self.disturb = _forward
        address = (self._host, urlsplit(upstream).port or 80)
        self._server = _Server((self._host, self.port), address, lambda request: self.disturb(request))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections and cut the open ones: AWS is unreachable."""
        self._resumed.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._server = None

    def fail(self, rate: float, kind: str, seed: int = 0) -> None:
        """Disturb a share of the requests. kind: of `answers.KINDS`."""
        chance = random.Random(seed)

        def disturb(request: Request) -> bytes | None:
            if chance.random() >= rate:
                return None
            return answers.render(kind, request.service, request.content_type)

        self.disturb = disturb

    def hang(self, service: str) -> None:
        """Answer no request of a service until the proxy forwards again."""
        resumed = self._resumed = threading.Event()

        def disturb(request: Request) -> bytes | None:
            if request.service == service:
                resumed.wait()
                return b""
            return None

        self.disturb = disturb


def _forward(request: Request) -> None:
    return None


class _Server(socketserver.ThreadingTCPServer):
    """Accepts connections. upstream: host and port of the account."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], upstream: tuple[str, int], disturb: Disturbance) -> None:
        self.upstream, self.disturb = upstream, disturb
        self._open: set[socket.socket] = set()
        super().__init__(address, _Connection)

    def remember(self, connection: socket.socket) -> None:
        self._open.add(connection)

    def cut(self) -> None:
        """Cut every open connection."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: clients and the account close connections at any time, which is the purpose."""


class _Connection(socketserver.StreamRequestHandler):
    """One request of one connection, which is closed after it."""

    server: _Server
    timeout = _SECONDS

    def handle(self) -> None:
        self.server.remember(self.connection)
        head = self._head()
        if not head:
            return
        if re.search(rb"(?im)^expect: *100-continue\r$", head):
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = self._body(head)
        answer = self.server.disturb(_request(head))
        if answer is not None:
            self.wfile.write(answer)
            return
        with socket.create_connection(self.server.upstream, timeout=_SECONDS) as upstream:
            self.server.remember(upstream)
            upstream.sendall(_closing(head) + body)
            while data := upstream.recv(_CHUNK):
                self.wfile.write(data)

    def _head(self) -> bytes:
        lines = []
        while line := self.rfile.readline(_CHUNK):
            lines.append(line)
            if line == b"\r\n":
                return b"".join(lines)
        return b""

    def _body(self, head: bytes) -> bytes:
        if re.search(rb"(?im)^transfer-encoding: *chunked", head):
            return self._chunks()
        length = re.search(rb"(?im)^content-length: *(\d+)", head)
        return self.rfile.read(int(length.group(1))) if length else b""

    def _chunks(self) -> bytes:
        parts = []
        while line := self.rfile.readline(_CHUNK):
            parts.append(line)
            size = int(line.split(b";")[0], 16)
            parts.append(self.rfile.read(size + 2))
            if not size:
                break
        return b"".join(parts)


def _request(head: bytes) -> Request:
    signed = re.search(rb"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request", head)
    content = re.search(rb"(?im)^content-type: *([^\r;]+)", head)
    return Request(
        signed.group(1).decode() if signed else "", content.group(1).decode().lower() if content else ""
    )


def _closing(head: bytes) -> bytes:
    """Return a head that ends the connection after the response, and expects no interim response."""
    kept = re.sub(rb"(?im)^(connection|expect):[^\n]*\n", b"", head)
    return kept[:-2] + b"Connection: close\r\n\r\n"
