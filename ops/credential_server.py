"""A server on this machine that gives child processes AWS credentials, renewed before they expire.

AWS's SDKs ask it as they ask a container's: AWS_CONTAINER_CREDENTIALS_FULL_URI. Only who has the token gets an answer. It
ends with this process.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PATH = "/credentials"


class CredentialServer:
    """Starts when it is created.

    variables: environment variables with which an SDK asks it.
    """

    def __init__(self, current: Callable[[], dict[str, str]]) -> None:
        """current: returns AccessKeyId, SecretAccessKey, Token and Expiration (ISO 8601), valid for some minutes."""
        token = secrets.token_urlsafe(32)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(current, token))
        self._server.daemon_threads = True
        self.variables = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{self._server.server_port}{_PATH}",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": token,
        }
        threading.Thread(target=self._server.serve_forever, name="credentials", daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


def _handler(current: Callable[[], dict[str, str]], token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET with the credentials, if the request has the token."""

        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "")
            if self.path != _PATH or not hmac.compare_digest(given.encode(), token.encode()):
                return self._answer(403, {"code": "AccessDenied", "message": "wrong path or token"})
            try:
                self._answer(200, current())
            except Exception as error:  # the SDK of the child reports it, and this process keeps serving
                self._answer(500, {"code": type(error).__name__, "message": str(error)})

        def _answer(self, status: int, content: dict[str, str]) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Log nothing."""

    return Handler
