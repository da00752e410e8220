"""How far a training is, from the lines of its log: a bar, the rate and the time left."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

WIDTH = 24  # columns of the bar
_EPOCH = re.compile(r"^epoch=(\d+) .*\bimages_per_second=([\d.]+)")
_STEP = re.compile(r"^epoch (\d+): step (\d+) of (\d+)\b")
_RESUMED = re.compile(r"^resumed after epoch (\d+)$")


class TrainingProgress:
    """The progress of one training. It begins with the first line that it reads.

    Between two lines the bar moves at the rate so far, up to the end of the epoch.
    """

    def __init__(self, epochs: int, clock: Callable[[], float] = time.monotonic) -> None:
        """epochs: of the whole training, if it does not stop early."""
        self._epochs, self._clock = epochs, clock
        self._first: tuple[float, float] | None = None  # time and epochs done at the first line
        self._last = (0.0, 0.0)  # the same at the last line with them
        self._images_per_second = ""

    def read(self, line: str) -> bool:
        """Read a line of the log. Returns whether it tells how far the training is."""
        now = self._clock()
        if self._first is None:
            self._first = self._last = (now, 0.0)
        if found := _RESUMED.search(line):
            self._first = self._last = (now, float(found[1]))
        elif found := _STEP.search(line):
            epoch, step, steps = map(int, found.groups())
            self._last = (now, epoch - 1 + step / steps)
        elif found := _EPOCH.search(line):
            self._last = (now, float(found[1]))
            self._images_per_second = f", {float(found[2]):,.0f} images/s"
        return bool(found)

    def text(self) -> str:
        """Return the progress at this moment, such as `epoch 3 of 15 ━━━━━╌╌╌╌ 17 %, 2,115 images/s, 0:40 left`."""
        done, left = self._estimate()
        share = min(1.0, done / self._epochs)
        filled = round(WIDTH * share)
        bar = "━" * filled + "╌" * (WIDTH - filled)
        epoch = min(self._epochs, int(done) + 1)
        remaining = "" if left is None else f", {_duration(left)} left"
        return f"epoch {epoch} of {self._epochs} {bar} {share:.0%}{self._images_per_second}{remaining}"

    def _estimate(self) -> tuple[float, float | None]:
        """Return the epochs done by now, and the seconds left; None while the rate is not known."""
        (began, before), (at, done) = self._first or self._last, self._last
        if at - began < 1 or done <= before:  # lines that arrive together tell no rate
            return done, None
        rate = (done - before) / (at - began)
        end_of_epoch = int(done) + 0.999
        now = max(done, min(done + (self._clock() - at) * rate, end_of_epoch))
        return now, max(0.0, (self._epochs - now) / rate)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
