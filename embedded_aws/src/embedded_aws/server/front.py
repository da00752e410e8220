"""First handler of a request: function URLs, HTTP APIs, control requests. All others go to the gate."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable
from typing import Any

import moto

from embedded_aws.runtime import Runtime
from embedded_aws.server import control
from embedded_aws.services.apigatewayv2 import apis
from embedded_aws.services.lambda_ import urls, web
from embedded_aws.wsgi import Application, Environ, StartResponse

_LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost):[0-9]+")


class Front:
    """WSGI application in front of the gate. Refuses requests that a web page made a browser send."""

    def __init__(self, app: Application, runtime: Runtime):
        self._app, self._runtime = app, runtime
        self._started = time.time()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        for part in (urls, apis):
            named = web.host_of(environ, part.SERVICE, self._runtime.port)
            if named and "HTTP_ORIGIN" not in environ:
                status, headers, body = part.answer(environ, self._runtime, *named)
                start_response(status, headers)
                return [body]
        # A web page can reach loopback through its own host name (DNS rebinding) or through a form. The port may be that
        # of a proxy on this machine.
        if not _LOOPBACK.fullmatch(environ.get("HTTP_HOST", "")) or "HTTP_ORIGIN" in environ:
            return _page(
                start_response, "403 Forbidden", {"message": "Only tools on this machine are served."}
            )
        if environ["PATH_INFO"] == "/_local/health":
            return _page(start_response, "200 OK", self._health())
        if environ["PATH_INFO"].startswith("/_local/"):
            status, headers, body = control.answer(environ, self._runtime)
            start_response(status, headers)
            return [body]
        return self._app(environ, start_response)

    def _health(self) -> dict[str, Any]:
        return {
            "home": str(self._runtime.home),
            "pid": os.getpid(),
            "port": self._runtime.port,
            "version": moto.__version__,
            "uptime": round(time.time() - self._started, 1),
            "time_scale": self._runtime.time_scale,
            "processes": self._runtime.supervisor.count(),
        }


def _page(start_response: StartResponse, status: str, content: dict[str, Any]) -> list[bytes]:
    body = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
