"""CloudWatch Logs of an endpoint's containers."""

from __future__ import annotations

import threading
import time
from typing import Any

from moto.logs.models import logs_backends

from embedded_aws.services.sagemaker.hosting.keys import EndpointKey


def log_group(endpoint: str) -> str:
    """Return the name of an endpoint's log group."""
    return f"/aws/sagemaker/Endpoints/{endpoint}"


class EndpointLog:
    """The log group of an endpoint, with one stream per instance."""

    def __init__(self, key: EndpointKey):
        self._logs = logs_backends[key.account][key.region]
        self._group = log_group(key.name)
        self._lock = threading.Lock()
        self._logs.ensure_log_group(self._group)

    def write(self, stream: str, lines: list[str]) -> None:
        """Append lines to a stream. A log group that a user deleted is not created again."""
        now = int(time.time() * 1000)
        events: list[dict[str, Any]] = [{"timestamp": now, "message": line} for line in lines if line]
        with self._lock:
            if events and self._group in self._logs.groups:
                self._logs.ensure_log_stream(self._group, stream)
                self._logs.put_log_events(self._group, stream, events)
