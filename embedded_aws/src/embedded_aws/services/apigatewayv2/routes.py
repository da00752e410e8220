"""Routes of HTTP APIs: matching of requests, and throttling."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

ROUTE_KEY = re.compile(r"\$default|(ANY|GET|HEAD|OPTIONS|PATCH|POST|PUT|DELETE) (/|(/[^/\s]+)+)")
# A function's ARN or its invoke ARN.
FUNCTION = re.compile(
    r"(?:arn:aws:apigateway:[\w-]+:lambda:path/2015-03-31/functions/)?"
    r"arn:aws:lambda:(?P<region>[\w-]+):\d{12}:function:(?P<name>[\w-]+)(?::(?P<qualifier>\$LATEST|[\w-]+))?"
    r"(?:/invocations)?"
)
# Limits of the account, where neither stage nor route sets any.
ACCOUNT_RATE, ACCOUNT_BURST = 10_000.0, 5_000.0


def choose(keys: Iterable[str], method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Return the most specific route key for a request and its path parameters; None if no key matches.

    Paths without variables come first, then paths with variables, then greedy ones, then $default. A key with the
    request's method comes before ANY.
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
    """Return the sort key of a path template; a lower one is more specific."""
    parts = [
        2 if part.endswith("+}") else int(part.startswith("{")) for part in template.strip("/").split("/")
    ]
    return max(parts), tuple(parts)


class Throttle:
    """A token bucket per route. Thread-safe. A bucket is full after a restart and after a change of its limits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By route: its limits, and how many tokens were left at which time of the clock.
        self._buckets: dict[tuple[str, ...], tuple[tuple[float, float], float, float]] = {}

    def admit(self, route: tuple[str, ...], rate: float, burst: float) -> bool:
        """Return whether one more request may pass: up to `burst` at once, `rate` per second on average."""
        now = self._clock()
        with self._lock:
            limits, tokens, then = self._buckets.get(route, (None, burst, now))
            tokens = min(burst, tokens + (now - then) * rate) if limits == (rate, burst) else burst
            admitted = tokens >= 1 and rate > 0
            self._buckets[route] = (rate, burst), tokens - admitted, now
        return admitted


def limits(stage: Any, route_key: str) -> tuple[float, float]:
    """Return (rate, burst) of a route. stage: moto's record."""
    settings: Mapping[str, Any] = {
        **(stage.default_route_settings or {}),
        **stage.route_settings.get(route_key, {}),
    }
    rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
    return ACCOUNT_RATE if rate is None else float(rate), ACCOUNT_BURST if burst is None else float(burst)
