"""The server process: builds the WSGI application and runs it until SIGTERM."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import threading
import time
from pathlib import Path

from embedded_aws import services
from embedded_aws.errors import EmbeddedAwsError
from embedded_aws.iam.decisions import DecisionRecord
from embedded_aws.iam.gate import Gate
from embedded_aws.iam.trust import ServiceSessions
from embedded_aws.runtime import Runtime
from embedded_aws.server import log_files
from embedded_aws.server.dispatch import Dispatcher
from embedded_aws.server.front import Front
from embedded_aws.server.http_server import Server
from embedded_aws.server_process import start_time
from embedded_aws.services.servicequotas.quotas import Quotas
from embedded_aws.state import snapshot
from embedded_aws.state.blobs import BlobStore
from embedded_aws.wsgi import Application

log = logging.getLogger("embedded_aws")

OWNER_SECONDS = 1.0  # between two looks at the owner


def build(runtime: Runtime) -> Application:
    """Return the WSGI application. Call once per process: moto's backends are global."""
    os.environ.update(MOTO_IAM_LOAD_MANAGED_POLICIES="true", MOTO_PORT=str(runtime.port))
    record = DecisionRecord(runtime.folder("log"))
    runtime.add(record)
    runtime.assume_role = ServiceSessions(record).assume
    services.install(runtime)
    gate = Gate(Dispatcher(runtime), runtime)
    runtime.add(gate)
    return Front(gate, runtime)


def serve(
    home: Path,
    port: int,
    time_scale: float,
    listener: socket.socket | None = None,
    owner: int | None = None,
) -> None:
    """Run until SIGTERM or SIGINT, then end child processes, save the state and return.

    listener: a socket that listens on the port already; by default a new one.
    owner: id of a process: stop when it has ended, even by `kill -9`.

    Raises EmbeddedAwsError if the port is taken or the saved state cannot be used.
    """
    runtime = Runtime(home=home, port=port, time_scale=time_scale)
    log_files.begin(runtime.folder("log"))
    gc.disable()  # collections over objects that stay loaded are a third of the start time
    app = build(runtime)
    gc.freeze()  # without a collection first: it takes 0.13 s, and finds 4,000 small objects
    try:
        server = Server(port, app, listener)  # first: a taken port must not touch the state
    except OSError as error:
        raise EmbeddedAwsError(f"Port {port} of 127.0.0.1 cannot be used: {error.strerror}.") from None
    runtime.get(Quotas).configured()  # report an invalid quotas.json at start
    snapshot.forget_instances()
    keeper = snapshot.Keeper(runtime.folder("state"), runtime.get(BlobStore))
    log.info("%d backends restored", keeper.load())
    runtime.changed, runtime.writing = keeper.changed, keeper.journal.writing
    for hook in runtime.on_start:
        hook()
    gc.enable()
    keeper.start()
    _stop_on_signal(server, runtime)
    if owner is not None:
        threading.Thread(target=_stop_without, args=(owner,), name="owner", daemon=True).start()
    log.info("listening on %s", runtime.endpoint_url)
    server.serve_forever(poll_interval=0.2)
    server.server_close()
    keeper.end()
    log.info("stopped")


def _stop_without(owner: int) -> None:
    """Stop this server once a process has ended."""
    started = start_time(owner)
    while started is not None and start_time(owner) == started:
        time.sleep(OWNER_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _stop_on_signal(server: Server, runtime: Runtime) -> None:
    def finish() -> None:
        """Stop services while requests are still answered: the last log lines and artifacts are requests."""
        for hook in runtime.on_stop:
            try:
                hook()
            except Exception:
                log.exception("a service did not stop cleanly")
        runtime.supervisor.end_all()
        server.shutdown()

    def stop(*_: object) -> None:
        if not runtime.stopping.is_set():
            runtime.stopping.set()
            threading.Thread(target=finish, name="finish").start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
