"""Schedule expressions: at(), rate() and cron()."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from moto.applicationautoscaling.exceptions import AWSValidationException

UNITS = {"minute": 60, "hour": 3600, "day": 86_400}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS = (
    ("minutes", 0, 59, ()),
    ("hours", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of week", 1, 7, DAYS),
    ("year", 1970, 2199, ()),
)


@dataclass(frozen=True)
class Schedule:
    """A schedule expression. Times are Unix times. at() and cron() are in the time zone `zone`."""

    expression: str
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Raise ValidationException for an invalid expression."""
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise AWSValidationException(f"Timezone {self.zone} is not known.") from None
        if not (self._at() or self._rate() or self._cron()):
            raise AWSValidationException(
                f"Schedule expression {self.expression} is not valid: use at(yyyy-mm-ddThh:mm:ss), "
                "rate(value minutes|hours|days) or cron(minutes hours day-of-month month day-of-week year)."
            )

    def due(self, after: float, until: float, began: float, time_scale: float = 1.0) -> bool:
        """Return whether the schedule is due within (after, until].

        began: start of a rate. time_scale: how much faster than real time a rate runs.
        """
        if at := self._at():
            return after < at.timestamp() <= until
        if rate := self._rate():
            seconds = rate / time_scale
            return until > began and (until - began) // seconds > max(0.0, (after - began) // seconds)
        fields = self._cron()
        assert fields
        moment = datetime.fromtimestamp(after // 60 * 60 + 60, timezone.utc)
        while moment.timestamp() <= until:
            if self._matches(fields, moment.astimezone(ZoneInfo(self.zone))):
                return True
            moment += timedelta(minutes=1)
        return False

    def _at(self) -> datetime | None:
        found = re.fullmatch(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?)\)", self.expression)
        try:
            return datetime.fromisoformat(found[1]).replace(tzinfo=ZoneInfo(self.zone)) if found else None
        except ValueError:
            return None

    def _rate(self) -> int | None:
        found = re.fullmatch(r"rate\(([1-9]\d*) (minute|hour|day)s?\)", self.expression)
        return int(found[1]) * UNITS[found[2]] if found else None

    def _cron(self) -> list[set[int]] | None:
        found = re.fullmatch(r"cron\((.+)\)", self.expression)
        parts = found[1].split() if found else []
        if len(parts) != len(FIELDS):
            return None
        if (parts[2] == "?") == (parts[4] == "?"):  # exactly one of the two days must be "?"
            return None
        try:
            return [_values(part, *field[1:]) for part, field in zip(parts, FIELDS, strict=True)]
        except ValueError:
            return None

    @staticmethod
    def _matches(fields: list[set[int]], moment: datetime) -> bool:
        found = (
            moment.minute,
            moment.hour,
            moment.day,
            moment.month,
            moment.isoweekday() % 7 + 1,
            moment.year,
        )
        return all(value in wanted for value, wanted in zip(found, fields, strict=True))


def _values(text: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    """Return the values that match a cron field. Raises ValueError, also for L, W and #."""
    found: set[int] = set()

    def number(word: str) -> int:
        value = names.index(word.upper()) + 1 if word.upper() in names else int(word)
        if not low <= value <= high:
            raise ValueError(word)
        return value

    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span in ("*", "?"):
            begin, end = low, high
        elif dash:
            begin, end = number(first), number(last)
        else:
            begin = number(first)
            end = high if step else begin
        found |= set(range(begin, end + 1, int(step or 1)))
    return found
