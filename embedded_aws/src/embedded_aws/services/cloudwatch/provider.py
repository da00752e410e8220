"""Puts Amazon CloudWatch in moto's place."""

from __future__ import annotations

import threading

from moto.cloudwatch import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.cloudwatch import evaluator
from embedded_aws.services.cloudwatch.backend import EmbeddedCloudWatchBackend
from embedded_aws.services.cloudwatch.responses import EmbeddedCloudWatchResponse
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    """Return the changes to moto's CloudWatch."""

    def start() -> None:
        threading.Thread(target=evaluator.run, args=(runtime,), name="alarms", daemon=True).start()

    return Provider(
        backends=[(models.cloudwatch_backends, EmbeddedCloudWatchBackend)],
        routes=[Routes(table=urls.url_paths, paths=["{0}/$"], responses=EmbeddedCloudWatchResponse)],
        on_start=[start],
    )
