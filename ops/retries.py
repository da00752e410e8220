"""Retries of AWS requests: botocore's standard mode, within one budget of time for all clients of a command.

botocore limits the attempts of one request, not their time: a service that hangs would hold a command for the read
timeout times the attempts, in silence.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from botocore import exceptions
from botocore.config import Config

from ops.console import say
from ops.text import clause

MAX_POOL_CONNECTIONS = 32  # parallel transfers
ATTEMPTS = 10  # of one request: 30 % of throttled requests leave 0.3 ** 10 that fail
REQUEST_SECONDS = 90.0  # for all attempts of one request; the last one may take a read timeout longer
UNREACHABLE_SECONDS = 15.0  # the same, if no connection can be made: nothing listens, or there is no network
COMMAND_SECONDS = 180.0  # for the failed attempts of all requests of a command
REFUND_SECONDS = 1.0  # of that, for each request that succeeds: a long command may see many single failures
SHOW_SECONDS = 8.0  # after which a request that is being repeated is shown, and then as often

_LAMBDA_SECONDS = 130  # Lambda answers when the function returns: longer than a function may run
_THROTTLED = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}


class NoAnswer(exceptions.BotoCoreError):  # type: ignore[misc]  # botocore has no types
    """AWS did not answer a request, or asked to repeat it, for longer than a command waits."""

    fmt = "{service} did not answer {operation} within {seconds} s, in {attempts} attempts; the last ended with {reason}"


@cache
def client_config(service: str, seconds: float | None = None) -> Config:
    """Return the configuration of a service's client. seconds: limit of an answer, if it is shorter than the usual."""
    usual = _LAMBDA_SECONDS if service == "lambda" else 60
    return Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        max_pool_connections=MAX_POOL_CONNECTIONS,
        connect_timeout=5,
        read_timeout=usual if seconds is None else min(usual, seconds),
    )


class RetryBudget:
    """The seconds that the requests of one command may lose to failed attempts. Safe to use from several threads."""

    def __init__(
        self,
        seconds: float = COMMAND_SECONDS,
        request_seconds: float = REQUEST_SECONDS,
        *,
        clock: Callable[[], float] = time.monotonic,
        show: Callable[[str], None] = say,
    ) -> None:
        """show: called with a sentence while a request is repeated."""
        self._request_seconds = request_seconds
        self._full = self._left = seconds
        self._clock, self._show = clock, show
        self._lock = threading.Lock()

    def attach(self, client: Any) -> None:
        """Make the requests of a client use this budget, unless they use another one."""
        service, events = client.meta.service_model.service_id.hyphenize(), client.meta.events
        events.register(f"before-call.{service}", self._begin, unique_id=f"begin-{service}")
        events.register_first(f"needs-retry.{service}", self._judge, unique_id=f"judge-{service}")

    def _begin(self, params: dict[str, Any], **_: Any) -> None:
        """Note in the request's context when its first attempt began. botocore emits this before it sends a request."""
        now = self._clock()
        params["context"]["began"] = params["context"]["judged"] = params["context"]["shown"] = now

    def _judge(
        self,
        response: Any,
        operation: Any,
        attempts: int,
        caught_exception: Exception | None,
        request_dict: dict[str, Any],
        **_: Any,
    ) -> None:
        """Raise NoAnswer if an attempt has failed and there is no time for another. botocore emits this after each."""
        reason, context, now = _failure(response, caught_exception), request_dict["context"], self._clock()
        if not reason:
            self._take(-REFUND_SECONDS)
            return
        seconds = now - context["began"]
        left = self._take(now - context["judged"])
        context["judged"] = now
        unreachable = isinstance(
            caught_exception, (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError)
        )
        limit = min(UNREACHABLE_SECONDS, self._request_seconds) if unreachable else self._request_seconds
        service = operation.service_model.service_id
        if attempts >= ATTEMPTS or seconds > limit or left <= 0:
            raise NoAnswer(
                service=service,
                operation=operation.name,
                seconds=f"{seconds:.0f}",
                attempts=attempts,
                reason=reason,
            ) from caught_exception
        if now - context["shown"] > SHOW_SECONDS:
            context["shown"] = now
            self._show(
                f"  {service} has not answered {operation.name} for {seconds:.0f} s ({reason}): trying again, for at "
                f"most {limit:.0f} s"
            )

    def _take(self, seconds: float) -> float:
        """Take seconds from the budget, or give them back if negative. Returns what is left."""
        with self._lock:
            self._left = min(self._full, self._left - seconds)
            return self._left


def _failure(response: Any, caught_exception: Exception | None) -> str:
    """Return why an attempt should be repeated; empty if AWS has answered it."""
    if caught_exception is not None:
        repeated = (exceptions.ConnectionError, exceptions.HTTPClientError)
        return type(caught_exception).__name__ if isinstance(caught_exception, repeated) else ""
    http, parsed = response
    details = parsed.get("Error", {})
    code, message = str(details.get("Code", "")), str(details.get("Message", ""))
    if http.status_code not in (500, 502, 503, 504) and code not in _THROTTLED:
        return ""
    return clause(": ".join(filter(None, (code or str(http.status_code), message))), 200)
