"""Puts Amazon EventBridge in moto's place."""

from __future__ import annotations

import threading

from moto.events import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.events import schedules
from embedded_aws.services.events.backend import EmbeddedEventsBackend, EmbeddedRule
from embedded_aws.services.events.delivery import Delivery
from embedded_aws.services.events.responses import EmbeddedEventsResponse
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    """Return the changes to moto's EventBridge."""
    delivery = Delivery()
    runtime.add(delivery)

    def run_schedules() -> None:
        threading.Thread(target=schedules.run, args=(runtime,), name="schedules", daemon=True).start()

    return Provider(
        backends=[(models.events_backends, EmbeddedEventsBackend)],
        routes=[Routes(table=urls.url_paths, paths=list(urls.url_paths), responses=EmbeddedEventsResponse)],
        replaced=[(models, "Rule", EmbeddedRule)],
        on_start=[delivery.start, run_schedules],
    )
