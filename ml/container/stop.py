"""How a running training is asked to stop."""

from __future__ import annotations

import signal


class Stopped(Exception):
    """The job was asked to stop; the checkpoint of the last whole epoch is kept."""


class StopRequest:
    """Remembers SIGTERM, which SageMaker sends when a job is stopped or its spot instance taken."""

    def __init__(self) -> None:
        self.received = False
        signal.signal(signal.SIGTERM, self._receive)

    def _receive(self, *_: object) -> None:
        self.received = True
