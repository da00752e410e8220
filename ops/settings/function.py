"""The function in front of the endpoint."""

from __future__ import annotations

from pydantic import Field, model_validator

from ops.settings.section import Section


class FunctionScheduleSettings(Section):
    """From these times on another number of environments is kept warm. schedule: at(...), cron(...) or rate(...)."""

    name: str = Field(pattern=r"^[a-zA-Z0-9-]{1,64}$")
    schedule: str = Field(pattern=r"^(at|cron|rate)\(.+\)$")
    timezone: str = "UTC"
    provisioned_concurrency: int = Field(ge=1, le=1000)


class HttpApiSettings(Section):
    """An HTTP API that takes burst_limit requests at once and rate_limit a second, from callers that IAM allows."""

    enabled: bool = False
    burst_limit: int = Field(20, ge=1, le=5000)
    rate_limit: float = Field(10, gt=0, le=10000)


class FunctionAccessSettings(Section):
    """Ways to the function beside Invoke."""

    function_url: bool = False
    http_api: HttpApiSettings = HttpApiSettings()


class FunctionSettings(Section):
    """The Lambda function in front of the endpoint, which itself answers within 60 s or not at all.

    provisioned_concurrency: environments kept warm, with schedules until the first of them. reserved_concurrency: most
    environments at a time, taken from what the account's functions share. dead_letter_queue: keep events of
    asynchronous invocations that failed. tracing: let X-Ray trace a sample of the invocations.
    """

    memory_mb: int = Field(256, ge=128, le=10240)
    timeout_seconds: int = Field(60, ge=1, le=120)
    provisioned_concurrency: int = Field(2, ge=0, le=1000)
    schedules: list[FunctionScheduleSettings] = Field([])
    reserved_concurrency: int | None = Field(None, ge=1, le=10000)
    dead_letter_queue: bool = True
    tracing: bool = True
    access: FunctionAccessSettings = FunctionAccessSettings()
    allowed_url_hosts: list[str] = Field([])

    @model_validator(mode="after")
    def _concurrency_fits(self):
        names = [action.name for action in self.schedules]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two schedules are called {', '.join(sorted(twice))}: names must differ")
        if self.schedules and not self.provisioned_concurrency:
            raise ValueError("schedules change what is kept warm: give provisioned_concurrency 1 or more")
        warm = max([self.provisioned_concurrency, *(s.provisioned_concurrency for s in self.schedules)])
        if self.reserved_concurrency is not None and self.reserved_concurrency < warm:
            raise ValueError(
                f"reserved_concurrency {self.reserved_concurrency} is less than the {warm} environments kept warm: raise "
                "it, or keep fewer warm"
            )
        return self
