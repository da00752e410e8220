"""The instance metadata service (IMDSv2, and IMDSv1 where it is allowed)."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from embedded_aws.iam.trust import RoleNotAssumable

MAX_TTL_SECONDS = 21_600
CREDENTIALS_SECONDS, RENEWED_AFTER = 6 * 3600, 3600
TTL_HEADER, TOKEN_HEADER = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"

Assume = Callable[[str], dict[str, str]]
Tree = dict[str, Any]  # from names to texts, trees, or functions that return a text, or None if there is none


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class MetadataService(ThreadingHTTPServer):
    """The metadata service of one machine, on a loopback port until `close`. The hop limit has no effect.

    Subclasses define `tree`, and whether the service is enabled and requires tokens.
    """

    daemon_threads = True

    def __init__(self, name: str, assume: Assume) -> None:
        """name: of the machine. assume: returns credentials of a role by ARN; raises RoleNotAssumable."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self._assume = assume
        self._tokens: dict[str, float] = {}
        self._credentials: tuple[str, float, dict[str, str]] | None = None
        self._lock = threading.Lock()
        self.address = f"127.0.0.1:{self.server_address[1]}"
        # It checks every 0.05 s for `close`, so that the end of a machine is not delayed.
        threading.Thread(target=self.serve_forever, args=(0.05,), name=f"imds {name}", daemon=True).start()

    @property
    def enabled(self) -> bool:
        """Whether it responds."""
        return True

    @property
    def requires_tokens(self) -> bool:
        """Whether it refuses IMDSv1."""
        return True

    def tree(self) -> Tree:
        """Return everything below /latest."""
        raise NotImplementedError

    def server_bind(self) -> None:
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def token(self, seconds: int) -> str:
        """Return a new session token that is valid for so many seconds."""
        now, token = time.monotonic(), secrets.token_urlsafe(42)
        with self._lock:
            self._tokens = {t: until for t, until in self._tokens.items() if until > now}
            self._tokens[token] = now + seconds
        return token

    def is_valid(self, token: str) -> bool:
        return self._tokens.get(token, 0.0) > time.monotonic()

    def find(self, path: str) -> str | None:
        """Return the text at a path below /latest; None if there is none."""
        found: Any = self.tree()
        for name in [part for part in path.split("/") if part]:
            if not isinstance(found, dict) or name not in found:
                return None
            found = found[name]
        if isinstance(found, dict):
            return "\n".join(name + "/" * isinstance(value, dict) for name, value in sorted(found.items()))
        return found() if callable(found) else found  # type: ignore[no-any-return]

    def credentials(self, arn: str) -> str:
        """Return the credentials document of a role. It is renewed every hour."""
        with self._lock:
            now = datetime.now(timezone.utc)
            if self._credentials is None or self._credentials[0] != arn or self._is_stale():
                try:
                    keys = self._assume(arn)
                except RoleNotAssumable:
                    message = (
                        "EC2 cannot assume the role. Please see documentation at https://docs.aws.amazon.com/"
                    )
                    failure = {"Code": "AssumeRoleUnauthorizedAccess", "Message": message}
                    return json.dumps({**failure, "LastUpdated": iso(now)}, indent=2)
                document = {
                    "Code": "Success",
                    "LastUpdated": iso(now),
                    "Type": "AWS-HMAC",
                    "AccessKeyId": keys["AWS_ACCESS_KEY_ID"],
                    "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
                    "Token": keys["AWS_SESSION_TOKEN"],
                    "Expiration": iso(now + timedelta(seconds=CREDENTIALS_SECONDS)),
                }
                self._credentials = (arn, time.monotonic(), document)
            return json.dumps(self._credentials[2], indent=2)

    def _is_stale(self) -> bool:
        return self._credentials is None or time.monotonic() - self._credentials[1] > RENEWED_AFTER


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "EC2ws", ""
    disable_nagle_algorithm = True
    server: MetadataService

    def do_PUT(self) -> None:
        if self._refuse():
            return
        if urlsplit(self.path).path.rstrip("/") != "/latest/api/token":
            return self._respond(HTTPStatus.NOT_FOUND)
        seconds = self.headers.get(TTL_HEADER, "")
        if not seconds.isdecimal() or not 1 <= int(seconds) <= MAX_TTL_SECONDS:
            return self._respond(HTTPStatus.BAD_REQUEST)
        self._respond(HTTPStatus.OK, self.server.token(int(seconds)), {TTL_HEADER: seconds})

    def do_GET(self) -> None:
        if self._refuse():
            return
        token = self.headers.get(TOKEN_HEADER)
        if (token is None and self.server.requires_tokens) or (
            token is not None and not self.server.is_valid(token)
        ):
            return self._respond(HTTPStatus.UNAUTHORIZED)
        path = unquote(urlsplit(self.path).path)
        if not path.startswith("/latest"):
            return self._respond(HTTPStatus.NOT_FOUND)
        found = self.server.find(path.removeprefix("/latest"))
        self._respond(HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK, found or "")

    do_HEAD = do_GET

    def _refuse(self) -> bool:
        """Refuse requests while the service is disabled, and those of a proxy or a browser.

        Returns whether it has.
        """
        disabled = not self.server.enabled
        foreign = {"X-Forwarded-For", "Origin"} & set(self.headers) or (
            self.headers.get("Host") not in (self.server.address, None)
        )
        if disabled or foreign:
            self._respond(HTTPStatus.FORBIDDEN)
        return bool(disabled or foreign)

    def _respond(self, status: HTTPStatus, text: str = "", headers: dict[str, str] | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        if length := int(self.headers.get("Content-Length") or 0):
            self.rfile.read(length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: requests are too frequent."""
