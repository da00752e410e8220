"""The base class of a section of an environment file, and types that several sections use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9]+\.[a-z0-9]+$")]
ScheduleName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9-]{1,64}$")]
ScheduleExpression = Annotated[str, Field(pattern=r"^(at|cron|rate)\(.+\)$")]
# Retention periods that CloudWatch Logs accepts, in days.
LogRetention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


class Section(BaseModel):
    """A table of environments/<name>.toml: immutable, without unknown settings."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def check_unique(names: Iterable[str]) -> None:
    """Raise ValueError if two schedules have the same name."""
    names = list(names)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two schedules are named {', '.join(repeated)}: give each a different name")
