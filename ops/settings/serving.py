"""The endpoint: inference type, variants, deployment and autoscaling."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ops.settings.section import InstanceType, ScheduleExpression, ScheduleName, Section, check_unique


class ServerlessSettings(Section):
    """Serverless inference."""

    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = Field(
        4096, description="Memory of a container in MB."
    )
    max_concurrency: int = Field(5, ge=1, le=200, description="Largest number of concurrent requests.")
    provisioned_concurrency: int = Field(
        0, ge=0, le=200, description="Containers kept initialized, at most max_concurrency. 0: none."
    )

    @model_validator(mode="after")
    def _check_provisioned(self) -> ServerlessSettings:
        if self.provisioned_concurrency > self.max_concurrency:
            raise ValueError(
                f"provisioned_concurrency {self.provisioned_concurrency} exceeds max_concurrency {self.max_concurrency}"
            )
        return self


class AsynchronousSettings(Section):
    """Asynchronous inference."""

    prefix: str = Field(
        "async/",
        pattern=r"^async/([a-zA-Z0-9_.-]+/)*$",
        description="Prefix of the responses in the data bucket.",
    )
    max_concurrent_invocations_per_instance: int | None = Field(
        None, ge=1, le=1000, description="Concurrent requests per instance. Unset: SageMaker chooses."
    )
    success_topic_arn: str | None = Field(
        None, description="SNS topic notified of each successful inference. Unset: none."
    )
    error_topic_arn: str | None = Field(
        None, description="SNS topic notified of each failed inference. Unset: none."
    )


class SecondVariantSettings(Section):
    """Second production variant, for an A/B test."""

    model: int = Field(ge=1, description="Model version.")
    traffic_percentage: int = Field(ge=1, le=99, description="Percentage of requests that it serves.")


class ShadowVariantSettings(Section):
    """Shadow variant: gets copies of requests; its responses are discarded."""

    model: int = Field(ge=1, description="Model version.")
    sampling_percentage: int = Field(100, ge=1, le=100, description="Percentage of requests that are copied.")
    instance_count: int = Field(1, ge=1, le=100, description="Number of instances.")


class DataCaptureSettings(Section):
    """Data capture: keeps requests and responses in the data bucket."""

    enabled: bool = Field(False, description="Capture data.")
    sampling_percentage: int = Field(
        100, ge=1, le=100, description="Percentage of requests that are captured."
    )
    prefix: str = Field(
        "capture/",
        pattern=r"^capture/([a-zA-Z0-9_.-]+/)*$",
        description="Prefix of the captured data in the data bucket.",
    )


class ScheduleSettings(Section):
    """Scheduled change of the capacity limits."""

    name: ScheduleName = Field(description="Name of the scheduled action.")
    schedule: ScheduleExpression = Field(description="When it runs: at(...), cron(...) or rate(...).")
    timezone: str = Field("UTC", description="Time zone of the schedule, such as Europe/Berlin.")
    min_capacity: int | None = Field(
        None, ge=0, le=100, description="Minimum capacity from then on. Unset: unchanged."
    )
    max_capacity: int | None = Field(
        None, ge=1, le=100, description="Maximum capacity from then on. Unset: unchanged."
    )

    @model_validator(mode="after")
    def _check_capacity(self) -> ScheduleSettings:
        if self.min_capacity is None and self.max_capacity is None:
            raise ValueError("give min_capacity, max_capacity or both: the schedule changes them")
        if (
            self.min_capacity is not None
            and self.max_capacity is not None
            and self.min_capacity > self.max_capacity
        ):
            raise ValueError(f"min_capacity {self.min_capacity} exceeds max_capacity {self.max_capacity}")
        return self


class AutoscalingSettings(Section):
    """Target tracking of each production variant."""

    enabled: bool = Field(True, description="Scale the endpoint.")
    min_capacity: int = Field(
        1, ge=0, le=100, description="Minimum number of instances. 0 for asynchronous inference only."
    )
    max_capacity: int = Field(3, ge=1, le=100, description="Maximum number of instances.")
    target_invocations_per_instance: float = Field(
        600, gt=0, description="Target requests per instance and minute."
    )
    target_concurrent_requests_per_model: float | None = Field(
        None,
        gt=0,
        description="Target concurrent requests per model, a high-resolution metric. Unset: scale on requests per minute.",
    )
    target_backlog_per_instance: float = Field(
        5, gt=0, description="Target queued requests per instance, for asynchronous inference."
    )
    scale_in_cooldown: int = Field(
        30, ge=0, le=3600, description="Seconds between two steps that remove instances."
    )
    scale_out_cooldown: int = Field(
        300, ge=0, le=3600, description="Seconds between two steps that add instances."
    )
    schedules: list[ScheduleSettings] = Field([])

    @model_validator(mode="after")
    def _check_capacity(self) -> AutoscalingSettings:
        if self.min_capacity > self.max_capacity:
            raise ValueError(f"min_capacity {self.min_capacity} exceeds max_capacity {self.max_capacity}")
        check_unique(schedule.name for schedule in self.schedules)
        return self


class DeploymentSettings(Section):
    """Update of an endpoint that is in service."""

    traffic_shifting: Literal["all_at_once", "canary", "linear", "rolling"] = Field(
        "all_at_once",
        description="How requests move to the new fleet. canary: one step, then all. linear: equal steps. "
        "rolling: batches, without a second fleet.",
    )
    step_percentage: int | None = Field(
        None,
        ge=1,
        le=50,
        description="Size of a step or batch in percent of the fleet. Unset: step_instances applies.",
    )
    step_instances: int | None = Field(
        None, ge=1, description="Size of a step or batch in instances. Unset: step_percentage applies."
    )
    wait_seconds: int = Field(
        0, ge=0, le=3600, description="Seconds for which the alarms are monitored after each step."
    )
    termination_wait_seconds: int = Field(
        60, ge=0, le=3600, description="Seconds before the old fleet is terminated."
    )
    maximum_execution_seconds: int | None = Field(
        None, ge=600, le=28800, description="Time limit of the update. Unset: SageMaker chooses."
    )
    rollback_alarm_names: list[str] = Field(
        [],
        max_length=8,
        description="CloudWatch alarms that roll the update back, besides those on the new fleet.",
    )

    @model_validator(mode="after")
    def _check_step(self) -> DeploymentSettings:
        given = [size for size in (self.step_percentage, self.step_instances) if size is not None]
        if len(given) != (self.traffic_shifting != "all_at_once"):
            raise ValueError(
                "canary, linear and rolling updates need either step_percentage or step_instances; all_at_once takes neither"
            )
        minimum = {"linear": 10, "rolling": 5}.get(self.traffic_shifting, 1)
        if self.step_percentage is not None and self.step_percentage < minimum:
            raise ValueError(
                f"step_percentage {self.step_percentage}: a {self.traffic_shifting} update takes {minimum} to 50"
            )
        return self


class ServingSettings(Section):
    """Endpoint: real-time inference on instances, unless section serverless or asynchronous is present."""

    instance_type: InstanceType = Field("ml.m5.large", description="SageMaker instance type.")
    initial_instance_count: int = Field(
        1, ge=1, le=100, description="Number of instances of a new endpoint; autoscaling changes it later."
    )
    serverless: ServerlessSettings | None = None
    asynchronous: AsynchronousSettings | None = None
    second: SecondVariantSettings | None = None
    shadow: ShadowVariantSettings | None = None
    data_capture: DataCaptureSettings = DataCaptureSettings()
    autoscaling: AutoscalingSettings = AutoscalingSettings()
    deployment: DeploymentSettings = DeploymentSettings()

    @model_validator(mode="after")
    def _check_combination(self) -> ServingSettings:
        if self.serverless and self.asynchronous:
            raise ValueError(
                "an endpoint is either serverless or asynchronous: remove one of the two sections"
            )
        if self.serverless:
            self._check_serverless()
        if self.asynchronous and self.shadow:
            raise ValueError(
                "an asynchronous endpoint cannot have a shadow variant: remove one of the two sections"
            )
        if self.second and self.shadow:
            raise ValueError(
                "an endpoint has either a second variant or a shadow variant: remove one of the two sections"
            )
        if self.second and self.deployment.traffic_shifting == "rolling":
            raise ValueError(
                "SageMaker cannot do a rolling update of two variants: remove section second, or change traffic_shifting"
            )
        if self.autoscaling.min_capacity == 0 and not self.asynchronous:
            raise ValueError(
                "autoscaling.min_capacity 0: only an asynchronous endpoint scales to zero; set 1 or more"
            )
        return self

    def _check_serverless(self) -> None:
        if given := {"instance_type", "initial_instance_count"} & self.model_fields_set:
            raise ValueError(f"a serverless endpoint has no instances: remove {' and '.join(sorted(given))}")
        if self.data_capture.enabled:
            raise ValueError("a serverless endpoint cannot capture data: set data_capture.enabled = false")
        if self.second or self.shadow:
            raise ValueError("a serverless endpoint has one variant: remove sections second and shadow")
        if self.deployment.traffic_shifting != "all_at_once":
            raise ValueError(
                'a serverless endpoint shifts all traffic at once: set traffic_shifting = "all_at_once"'
            )

    @model_validator(mode="after")
    def _check_type_scales(self) -> ServingSettings:
        family = self.instance_type.split(".")[1]
        if self.autoscaling.enabled and not self.serverless and family.startswith("t"):
            raise ValueError(
                f"{self.instance_type} cannot scale: SageMaker refuses autoscaling for burstable types. "
                "Set instance_type to ml.m5.large, or autoscaling.enabled = false"
            )
        return self

    @property
    def hosting(self) -> dict[str, Any]:
        """Return the value of variable `hosting` of the root serving."""
        if self.serverless:
            return {"serverless": self.serverless.model_dump()}
        if self.asynchronous:
            instances = {"instance_type": self.instance_type, "initial_count": self.initial_instance_count}
            return {"asynchronous": {**instances, **self.asynchronous.model_dump(exclude_none=True)}}
        return {"instance": {"type": self.instance_type, "initial_count": self.initial_instance_count}}
