"""Ownership, alarms and budget of an environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ops.settings.section import Section

TagValue = Annotated[str, Field(max_length=256, pattern=r"^[\w .:/=+@-]+$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class TagSettings(Section):
    """Tags of every resource, in addition to Project, Environment and Stack."""

    owner: TagValue | None = Field(None, description="Value of tag Owner. Unset: no such tag.")
    cost_center: TagValue | None = Field(None, description="Value of tag CostCenter. Unset: no such tag.")
    ttl_days: int | None = Field(
        None,
        ge=1,
        le=3650,
        description="Value of tag TTL: intended lifetime in days, for your own clean-up. Nothing is removed. Unset: no such tag.",
    )

    def values(self) -> dict[str, str]:
        """Return the tags that are set."""
        tags = {
            "Owner": self.owner,
            "CostCenter": self.cost_center,
            "TTL": f"{self.ttl_days}d" if self.ttl_days else None,
        }
        return {key: value for key, value in tags.items() if value}


class ObservabilitySettings(Section):
    """Alarms of each endpoint and its function."""

    emails: list[Email] = Field(
        [], description="Addresses that receive alarms, once each has confirmed the subscription."
    )
    endpoint_error_percent: float = Field(
        1,
        ge=0,
        lt=100,
        description="Percentage of failed endpoint requests in a minute that raises the alarm.",
    )
    endpoint_p99_ms: float = Field(
        2000, gt=0, le=60000, description="p99 latency of the endpoint in ms that raises the alarm."
    )
    function_error_percent: float = Field(
        1, ge=0, lt=100, description="Percentage of failed invocations in a minute that raises the alarm."
    )
    function_p99_ms: float = Field(
        5000, gt=0, le=900000, description="p99 duration of the function in ms that raises the alarm."
    )
    silent_minutes: int = Field(
        60, ge=0, le=1440, description="Minutes without a request that raise the alarm. 0: no such alarm."
    )
    dashboard: bool = Field(True, description="Create a CloudWatch dashboard.")


class BudgetSettings(Section):
    """Monthly budget of the environment, with notifications at 80 %, 100 % and a forecast of 100 %."""

    monthly_usd: float | None = Field(
        None, gt=0, description="Limit of a month's cost in USD. Unset: no budget."
    )
