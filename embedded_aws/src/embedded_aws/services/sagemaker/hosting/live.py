"""What runs behind each endpoint: fleets and the traffic between them. Nothing here is saved: records are."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from moto.logs.models import logs_backends

from embedded_aws.services.sagemaker.hosting.fleet import Fleet

Key = tuple[str, str, str]  # account, region, endpoint name


class Traffic:
    """The fleets of one endpoint. `shifted` is the new one's share of the requests while one replaces another."""

    def __init__(self) -> None:
        self.current: Fleet | None = None
        self.next: Fleet | None = None
        self.shifted = 0.0

    def fleet(self) -> Fleet | None:
        """The fleet of the next request."""
        coming = self.next
        if coming and (self.current is None or random.random() < self.shifted):
            return coming
        return self.current


_endpoints: dict[Key, Traffic] = {}
_lock = threading.Lock()


def traffic(key: Key) -> Traffic:
    """An endpoint's, made on first use."""
    with _lock:
        return _endpoints.setdefault(key, Traffic())


def forget(key: Key) -> None:
    """After an endpoint is deleted."""
    with _lock:
        _endpoints.pop(key, None)


def fleets() -> list[tuple[Key, Fleet]]:
    """Every fleet that serves."""
    with _lock:
        found = list(_endpoints.items())
    return [(key, fleet) for key, live in found for fleet in (live.current, live.next) if fleet]


class LogGroup:
    """CloudWatch Logs of an endpoint's containers, one stream per instance."""

    def __init__(self, key: Key):
        account, region, name = key
        self._logs = logs_backends[account][region]
        self._name = f"/aws/sagemaker/Endpoints/{name}"
        self._lock = threading.Lock()
        self._logs.ensure_log_group(self._name)

    def write(self, stream: str, lines: list[str]) -> None:
        """Append lines to a stream. A group that someone deleted stays deleted."""
        now = int(time.time() * 1000)
        events: list[dict[str, Any]] = [{"timestamp": now, "message": line} for line in lines if line]
        with self._lock:
            if events and self._name in self._logs.groups:
                self._logs.ensure_log_stream(self._name, stream)
                self._logs.put_log_events(self._name, stream, events)
