"""Who owns an environment, who is told of its trouble, and what it may cost."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ops.settings.section import Section

TagValue = Annotated[str, Field(max_length=256, pattern=r"^[\w .:/=+@-]+$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class TagSettings(Section):
    """Tags of everything that is made, beside project, environment and stack. ttl_days: how long the environment is
    meant to live; nothing is removed by it, it tells those who look for what was forgotten."""

    owner: TagValue | None = None
    cost_center: TagValue | None = None
    ttl_days: int | None = Field(None, ge=1, le=3650)

    def values(self) -> dict[str, str]:
        """The tags that are set, by key."""
        given = {"Owner": self.owner, "CostCenter": self.cost_center}
        given["TTL"] = f"{self.ttl_days}d" if self.ttl_days else None
        return {key: value for key, value in given.items() if value}


class ObservabilitySettings(Section):
    """Alarms of each endpoint and its function. emails: are told, once each has confirmed. error percentages: of a
    minute's requests. p99: of latencies, in ms. silent_minutes: without a request before that is told; 0 for never."""

    emails: list[Email] = Field([])
    endpoint_error_percent: float = Field(1, ge=0, lt=100)
    endpoint_p99_ms: float = Field(2000, gt=0, le=60000)
    function_error_percent: float = Field(1, ge=0, lt=100)
    function_p99_ms: float = Field(5000, gt=0, le=900000)
    silent_minutes: int = Field(60, ge=0, le=1440)
    dashboard: bool = True


class BudgetSettings(Section):
    """What a month may cost, in USD; None for no budget. Told at 80 % and 100 %, and when 100 % is forecast."""

    monthly_usd: float | None = Field(None, gt=0)
