"""The running fleets of every endpoint, and how traffic is split between them. In memory only: records are saved."""

from __future__ import annotations

import random
import threading

from embedded_aws.services.sagemaker.hosting.fleet import Fleet
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey


class Traffic:
    """The fleets of one endpoint."""

    def __init__(self) -> None:
        self.current: Fleet | None = None
        self.next: Fleet | None = None
        """The fleet that replaces `current` during an update."""

        self.shifted = 0.0
        """The share of requests that `next` gets, from 0 to 1."""

    def choose(self) -> Fleet | None:
        """Choose the fleet for one request."""
        replacement = self.next
        if replacement and (self.current is None or random.random() < self.shifted):
            return replacement
        return self.current


class LiveEndpoints:
    """The traffic of every endpoint."""

    def __init__(self) -> None:
        self._endpoints: dict[EndpointKey, Traffic] = {}
        self._lock = threading.Lock()

    def traffic(self, key: EndpointKey) -> Traffic:
        """Return an endpoint's traffic, created on first use."""
        with self._lock:
            return self._endpoints.setdefault(key, Traffic())

    def forget(self, key: EndpointKey) -> None:
        """Drop a deleted endpoint."""
        with self._lock:
            self._endpoints.pop(key, None)

    def fleets(self) -> list[tuple[EndpointKey, Fleet]]:
        """Return every running fleet."""
        with self._lock:
            found = list(self._endpoints.items())
        return [(key, fleet) for key, live in found for fleet in (live.current, live.next) if fleet]
