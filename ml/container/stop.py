"""Stop a training run on SIGTERM."""

from __future__ import annotations

import signal


class TrainingStopped(Exception):
    """The job was stopped. The checkpoint of the last completed epoch remains."""


class StopRequest:
    """Records SIGTERM, which SageMaker sends when a job is stopped or its Spot Instance is reclaimed."""

    def __init__(self) -> None:
        self.received = False
        signal.signal(signal.SIGTERM, self._receive)

    def _receive(self, *_: object) -> None:
        self.received = True
