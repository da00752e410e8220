"""The function in front of the endpoint."""

from __future__ import annotations

from pydantic import Field

from ops.settings.section import Section


class FunctionSettings(Section):
    """The Lambda function in front of the endpoint, which itself answers within 60 s or not at all."""

    memory_mb: int = Field(256, ge=128, le=10240)
    timeout_seconds: int = Field(60, ge=1, le=120)
    provisioned_concurrency: int = Field(2, ge=0, le=1000)
    allowed_url_hosts: list[str] = Field([])
