"""Which route of an HTTP API a request takes, and how many requests a route lets through."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

ROUTE_KEY = re.compile(r"\$default|(ANY|GET|HEAD|OPTIONS|PATCH|POST|PUT|DELETE) (/|(/[^/\s]+)+)")
# A function's ARN, or the address by which API Gateway calls it (invoke_arn in Terraform).
FUNCTION = re.compile(
    r"(?:arn:aws:apigateway:[\w-]+:lambda:path/2015-03-31/functions/)?"
    r"arn:aws:lambda:(?P<region>[\w-]+):\d{12}:function:(?P<name>[\w-]+)(?::(?P<qualifier>\$LATEST|[\w-]+))?"
    r"(?:/invocations)?"
)
# Of the account and region, where neither stage nor route says.
ACCOUNT_RATE, ACCOUNT_BURST = 10_000.0, 5_000.0


def choose(keys: Iterable[str], method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """The most specific route key for a request, with its path parameters.

    Paths without variables come first, then those with, then greedy ones, then $default; of two, the one that names
    the method. None if nothing matches.
    """
    best: tuple[tuple[Any, ...], str, dict[str, str]] | None = None
    for key in keys:
        candidate: tuple[tuple[Any, ...], str, dict[str, str]]
        if key == "$default":
            candidate = ((9,), key, {})
        else:
            wanted, _, template = key.partition(" ")
            parameters = _match(template, path)
            if parameters is None or wanted not in (method, "ANY"):
                continue
            candidate = ((*_rank(template), wanted == "ANY"), key, parameters)
        if best is None or candidate[0] < best[0]:
            best = candidate
    return best and best[1:]


def _match(template: str, path: str) -> dict[str, str] | None:
    pattern = "".join(
        f"(?P<{part[1:-2]}>.+)"
        if re.fullmatch(r"\{\w+\+\}", part)
        else f"(?P<{part[1:-1]}>[^/]+)"
        if re.fullmatch(r"\{\w+\}", part)
        else re.escape(part)
        for part in re.split(r"(\{\w+\+?\})", template)
    )
    found = re.fullmatch(pattern, path)
    return None if found is None else found.groupdict()


def _rank(template: str) -> tuple[int, tuple[int, ...]]:
    """Lower is more specific."""
    parts = [
        2 if part.endswith("+}") else int(part.startswith("{")) for part in template.strip("/").split("/")
    ]
    return max(parts), tuple(parts)


class Throttle:
    """A token bucket per route. Thread-safe; a bucket is full after a restart and once its limits have changed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By route: its limits, and the tokens left at a time of the clock.
        self._buckets: dict[tuple[str, ...], tuple[tuple[float, float], float, float]] = {}

    def admit(self, route: tuple[str, ...], rate: float, burst: float) -> bool:
        """Whether one more request may pass: `burst` at once, `rate` a second from then on."""
        now = self._clock()
        with self._lock:
            limits, tokens, then = self._buckets.get(route, (None, burst, now))
            tokens = min(burst, tokens + (now - then) * rate) if limits == (rate, burst) else burst
            admitted = tokens >= 1 and rate > 0
            self._buckets[route] = (rate, burst), tokens - admitted, now
        return admitted


def limits(stage: Any, route_key: str) -> tuple[float, float]:
    """(rate, burst) of a route in one of moto's stages."""
    settings: Mapping[str, Any] = {
        **(stage.default_route_settings or {}),
        **stage.route_settings.get(route_key, {}),
    }
    rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
    return ACCOUNT_RATE if rate is None else float(rate), ACCOUNT_BURST if burst is None else float(burst)
