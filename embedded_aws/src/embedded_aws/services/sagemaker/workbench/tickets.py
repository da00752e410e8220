"""Presigned URLs: for some minutes they redirect a browser to a JupyterLab."""

from __future__ import annotations

import html
import secrets
import time
from collections.abc import Callable
from threading import Lock

from embedded_aws.iam.errors import Answer
from embedded_aws.runtime import Runtime

PATH = "/_local/workbench/"

Opens = Callable[[], str]


class TargetNotRunning(Exception):
    """The target of a presigned URL is not running. The message is shown in the browser."""


class Tickets:
    """The valid presigned URLs. In memory only: their targets end with the embedded AWS."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._opens: dict[str, tuple[float, Opens]] = {}
        self._lock = Lock()

    def issue(self, seconds: float, opens: Opens) -> str:
        """Return a new URL.

        seconds: its lifetime.
        opens: returns the address to redirect to, or raises TargetNotRunning.
        """
        ticket, now = secrets.token_urlsafe(32), time.monotonic()
        with self._lock:
            self._opens = {t: held for t, held in self._opens.items() if held[0] > now}
            self._opens[ticket] = (now + seconds, opens)
        return f"{self._runtime.endpoint_url}{PATH}{ticket}"

    def answer(self, path: str) -> Answer:
        """Answer a browser that opens a presigned URL."""
        until, opens = self._opens.get(path.removeprefix(PATH), (0.0, None))
        if opens is None or until <= time.monotonic():
            return _page("403 Forbidden", "This URL is not valid or has expired: request a new one.")
        try:
            return "302 Found", [("Location", opens()), ("Cache-Control", "no-store")], b""
        except TargetNotRunning as nothing:
            return _page("404 Not Found", str(nothing))


def _page(status: str, sentence: str) -> Answer:
    body = f"<!doctype html><title>Workbench</title><p>{html.escape(sentence)}</p>\n".encode()
    headers = [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store")]
    return status, headers, body
