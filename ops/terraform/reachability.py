"""Stop a Terraform whose AWS is gone.

Terraform itself would repeat requests for many minutes: after each resource, also one that failed, it writes its state
to S3 with ten attempts, which take a minute and a half, and one resource waits for the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore import UNSIGNED, exceptions
from botocore.config import Config

PROBE_SECONDS = 5.0
UNREACHABLE_SECONDS = 40.0
"""Without a connection for so long, Terraform is interrupted. It repeats single requests for about as long."""
SAVE_SECONDS = 20.0
"""So long an interrupted Terraform may take to end."""

Probe = Callable[[], str]
"""Returns why AWS cannot be reached, or an empty string."""

_NO_CONNECTION = (
    exceptions.ConnectionClosedError,
    exceptions.ConnectTimeoutError,
    exceptions.EndpointConnectionError,
    exceptions.ProxyConnectionError,
)


def probe(session: boto3.Session, region: str) -> Probe:
    """Return a function that asks STS whether AWS answers: any answer will do, also a refusal or an error of AWS.

    The request takes the way of all others, through proxies and to configured endpoints, without credentials.
    """
    config = Config(
        signature_version=UNSIGNED, connect_timeout=5, read_timeout=5, retries={"total_max_attempts": 1}
    )
    sts: Any = session.client("sts", region_name=region, config=config)

    def ask() -> str:
        try:
            sts.get_caller_identity()
        except _NO_CONNECTION as error:
            return str(error).rstrip(".")
        except Exception:  # a refusal, an error of AWS, the login page of a hotel: something answered
            return ""
        return ""

    return ask


class Watch:
    """Watches AWS while Terraform runs. A context manager.

    reason: why AWS could not be reached, once Terraform has been stopped; else an empty string.
    """

    def __init__(
        self, ask: Probe, progress: Callable[[], int], interrupt: Callable[[], None], kill: Callable[[], None]
    ) -> None:
        """Watch with these functions, which another thread calls.

        progress: returns how many steps AWS has confirmed.
        interrupt: makes Terraform end with its state saved.
        kill: ends Terraform at once; the next run adopts what is in no state.
        """
        self.reason = ""
        self._ask, self._progress, self._interrupt, self._kill = ask, progress, interrupt, kill
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        if reason := self._unreachable(UNREACHABLE_SECONDS):
            self.reason = reason
            self._interrupt()
            if self._unreachable(SAVE_SECONDS):
                self._kill()

    def _unreachable(self, seconds: float) -> str:
        """Wait until AWS has been unreachable for so long, and return why. Empty: Terraform has ended."""
        steps, since = self._progress(), time.monotonic()
        while not self._ended.wait(PROBE_SECONDS):
            reason, before, steps = self._ask(), steps, self._progress()
            now = time.monotonic()
            if not reason or steps != before:
                since = now
            elif now - since >= seconds:
                return reason
        return ""
