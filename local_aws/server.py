"""The embedded AWS's HTTP server: moto's dispatcher, our services, access control, AWS-shaped errors."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from pathlib import Path

from local_aws import ACCOUNT_ID, runtime

log = logging.getLogger("local_aws")


def build(current: runtime.Runtime):
    """The WSGI application, for a runtime whose port is known. Call once per process."""
    # Read by moto when it is imported.
    os.environ.update(
        MOTO_IAM_LOAD_MANAGED_POLICIES="true", MOTO_ACCOUNT_ID=ACCOUNT_ID, MOTO_PORT=str(current.port)
    )
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from local_aws import access, fixes, functions, sagemaker

    runtime.install(current)
    for part in (fixes, sagemaker, functions):
        part.install(current)

    def create_app(service):
        app = create_backend_app(service)
        app.register_error_handler(NotImplementedError, lambda error: _not_implemented(service, error))
        return app

    return access.Gate(DomainDispatcherApplication(create_app), current)


def _not_implemented(service: str, error: NotImplementedError):
    """AWS's error shape at once: an HTML 500 would be retried for minutes by the SDKs."""
    message = f"The embedded AWS does not do this: {service}: {error}"
    headers = {"Content-Type": "application/json", "x-amzn-errortype": "NotImplementedException"}
    return json.dumps({"__type": "NotImplementedException", "message": message}), 501, headers


def serve(home: Path, port: int, time_scale: float) -> None:
    """Run until SIGTERM or SIGINT; then end the children, save the state and return."""
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    current = runtime.Runtime(home=home, port=port, time_scale=time_scale)
    app = build(current)
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=MotoRequestHandler)
    server.daemon_threads = True
    for hook in current.on_start:
        hook()

    def stop(*_: object) -> None:
        current.stopping.set()
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info("listening on %s", current.endpoint_url)
    server.serve_forever()
    for hook in current.on_stop:
        hook()
    current.supervisor.end_all()
