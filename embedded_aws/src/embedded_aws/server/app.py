"""The embedded AWS as a process: moto's dispatcher behind our gate, our services, its own few pages, its log."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from embedded_aws import ACCOUNT_ID, runtime
from embedded_aws.errors import EmbeddedAwsError
from embedded_aws.services.apigatewayv2 import apis
from embedded_aws.services.lambda_ import urls, web

log = logging.getLogger("embedded_aws")


def build(current: runtime.Runtime) -> Callable:
    """The WSGI application, for a runtime whose port is known. Call once per process."""
    # Read by moto when it is imported.
    os.environ.update(
        MOTO_IAM_LOAD_MANAGED_POLICIES="true",
        MOTO_ACCOUNT_ID=ACCOUNT_ID,
        MOTO_PORT=str(current.port),
        MOTO_DISABLE_GLOBAL_CORS="true",
    )
    from embedded_aws import services
    from embedded_aws.iam import install as access
    from embedded_aws.server.dispatch import Dispatcher

    runtime.install(current)
    services.install(current)
    return Front(access.install(Dispatcher(), current), current)


class Front:
    """What is answered before the gate: our own pages, and refusals of requests that a browser was made to send."""

    def __init__(self, app: Callable, current: runtime.Runtime):
        self._app, self._runtime = app, current
        self._hosts = {f"{name}:{current.port}" for name in ("127.0.0.1", "localhost")}
        self._started = time.time()

    def __call__(self, environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
        for part in (urls, apis):
            named = web.host_of(environ, part.SERVICE, self._runtime.port)
            if named and "HTTP_ORIGIN" not in environ:
                status, headers, body = part.answer(environ, self._runtime, *named)
                start_response(status, headers)
                return [body]
        # A page on the web can reach loopback under a name of its own (DNS rebinding) or by a form.
        if environ.get("HTTP_HOST") not in self._hosts or "HTTP_ORIGIN" in environ:
            return _page(
                start_response, "403 Forbidden", {"message": "Only this machine's own tools are served."}
            )
        if environ["PATH_INFO"] == "/_local/health":
            return _page(start_response, "200 OK", self._health())
        if environ["PATH_INFO"].startswith("/_local/"):
            from embedded_aws.server import control

            status, headers, body = control.answer(environ, self._runtime)
            start_response(status, headers)
            return [body]
        return self._app(environ, start_response)

    def _health(self) -> dict[str, Any]:
        return {
            "home": str(self._runtime.home),
            "pid": os.getpid(),
            "port": self._runtime.port,
            "version": version(),
            "uptime": round(time.time() - self._started, 1),
            "time_scale": self._runtime.time_scale,
            "processes": self._runtime.supervisor.count(),
        }


def version() -> str:
    """Of moto, on which the saved state depends."""
    import moto

    return moto.__version__


def _page(start_response: Callable, status: str, content: dict[str, Any]) -> list[bytes]:
    body = json.dumps(content).encode()
    start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _log_to(folder: Path) -> None:
    """Everything goes to files: service.log, and one line per request in requests.log."""
    logging.captureWarnings(True)
    for name, file, level in (
        ("", "service.log", logging.INFO),
        ("embedded_aws.requests", "requests.log", logging.INFO),
    ):
        handler = RotatingFileHandler(folder / file, maxBytes=10_000_000, backupCount=2)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(level)
    logging.getLogger("embedded_aws.requests").propagate = False
    for noisy in ("botocore", "boto3", "urllib3", "s3transfer", "werkzeug", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def serve(home: Path, port: int, time_scale: float) -> None:
    """Run until SIGTERM or SIGINT; then end the children, save the state and return.

    Raises EmbeddedAwsError if the port is taken or the saved state cannot be used.
    """
    current = runtime.Runtime(home=home, port=port, time_scale=time_scale)
    _log_to(current.folder("log"))
    gc.disable()  # what is loaded now stays: looking through it, again and again, is a third of the start
    app = build(current)
    gc.collect()
    gc.freeze()

    from embedded_aws.server.http_server import Server
    from embedded_aws.services.servicequotas import quotas
    from embedded_aws.state import snapshot
    from embedded_aws.state.blobs import BlobStore

    try:
        server = Server(port, app)  # before any state is touched
    except OSError as error:
        raise EmbeddedAwsError(f"Port {port} of 127.0.0.1 cannot be used: {error.strerror}.") from None
    quotas.configured()  # a mistake in its file is told now
    snapshot.forget_instances()
    keeper = snapshot.Keeper(current.folder("state"), current.get(BlobStore))
    log.info("%d backends restored", keeper.load())
    current.changed, current.writing = keeper.changed, keeper.journal.writing
    for hook in current.on_start:
        hook()
    gc.enable()
    keeper.start()

    def finish() -> None:
        """Services end while they can still reach each other: the last log lines and artifacts are requests."""
        for hook in current.on_stop:
            try:
                hook()
            except Exception:
                log.exception("a service did not end as it should")
        current.supervisor.end_all()
        server.shutdown()

    def stop(*_: object) -> None:
        if not current.stopping.is_set():
            current.stopping.set()
            threading.Thread(target=finish, name="finish").start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info("listening on %s", current.endpoint_url)
    server.serve_forever(poll_interval=0.2)
    server.server_close()
    keeper.end()
    log.info("stopped")
