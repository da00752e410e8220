"""The Lambda function in front of the endpoint."""

from __future__ import annotations

from pydantic import Field, model_validator

from ops.settings.section import ScheduleExpression, ScheduleName, Section, check_unique


class FunctionScheduleSettings(Section):
    """Scheduled change of the provisioned concurrency."""

    name: ScheduleName = Field(description="Name of the scheduled action.")
    schedule: ScheduleExpression = Field(description="When it runs: at(...), cron(...) or rate(...).")
    timezone: str = Field("UTC", description="Time zone of the schedule, such as Europe/Berlin.")
    provisioned_concurrency: int = Field(
        ge=1, le=1000, description="Provisioned concurrency from then on, until the next schedule."
    )


class HttpApiSettings(Section):
    """HTTP API with IAM authorization."""

    enabled: bool = Field(False, description="Create the HTTP API.")
    burst_limit: int = Field(20, ge=1, le=5000, description="Largest number of concurrent requests.")
    rate_limit: float = Field(10, gt=0, le=10000, description="Requests per second, in the long run.")


class FunctionAccessSettings(Section):
    """Ways to call the function other than Lambda's Invoke API."""

    function_url: bool = Field(False, description="Create a function URL with IAM authorization.")
    http_api: HttpApiSettings = HttpApiSettings()


class FunctionSettings(Section):
    """Lambda function in front of the endpoint."""

    memory_mb: int = Field(256, ge=128, le=10240, description="Memory of an execution environment in MB.")
    timeout_seconds: int = Field(
        60, ge=1, le=120, description="Time limit of an invocation. The endpoint responds within 60 s."
    )
    provisioned_concurrency: int = Field(
        2, ge=0, le=1000, description="Execution environments kept initialized. 0: none."
    )
    schedules: list[FunctionScheduleSettings] = Field([])
    reserved_concurrency: int | None = Field(
        None,
        ge=1,
        le=10000,
        description="Concurrency reserved for the function out of the account's. Unset: none, and no limit.",
    )
    dead_letter_queue: bool = Field(
        True, description="Keep the events of failed asynchronous invocations in an SQS queue."
    )
    tracing: bool = Field(True, description="Trace a sample of the invocations with AWS X-Ray.")
    access: FunctionAccessSettings = FunctionAccessSettings()
    allowed_url_hosts: list[str] = Field(
        [], description="Hosts from which the function fetches images by URL. Empty: none."
    )

    @model_validator(mode="after")
    def _check_concurrency(self) -> FunctionSettings:
        check_unique(schedule.name for schedule in self.schedules)
        if self.schedules and not self.provisioned_concurrency:
            raise ValueError(
                "schedules change the provisioned concurrency: set provisioned_concurrency to 1 or more"
            )
        provisioned = max(
            self.provisioned_concurrency, *(s.provisioned_concurrency for s in self.schedules), 0
        )
        if self.reserved_concurrency is not None and self.reserved_concurrency < provisioned:
            raise ValueError(
                f"reserved_concurrency {self.reserved_concurrency} is below the provisioned concurrency of "
                f"{provisioned}: raise the one or lower the other"
            )
        return self
