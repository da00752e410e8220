"""The endpoint: how it serves, what it serves beside the newest model, how it is updated and how it scales."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ops.settings.section import InstanceType, Section


class ServerlessSettings(Section):
    """Serverless inference: memory in MB, requests at a time, and how many of them find a warm container."""

    memory_mb: Literal[1024, 2048, 3072, 4096, 5120, 6144] = 4096
    max_concurrency: int = Field(5, ge=1, le=200)
    provisioned_concurrency: int = Field(0, ge=0, le=200)

    @model_validator(mode="after")
    def _provisioned_within(self):
        if self.provisioned_concurrency > self.max_concurrency:
            raise ValueError(
                f"provisioned_concurrency {self.provisioned_concurrency} exceeds max_concurrency {self.max_concurrency}"
            )
        return self


class AsynchronousSettings(Section):
    """Asynchronous inference: answers under `prefix` of the bucket, news of them to SNS topics."""

    prefix: str = Field("async/", pattern=r"^async/([a-zA-Z0-9_.-]+/)*$")
    max_concurrent_invocations_per_instance: int | None = Field(None, ge=1, le=1000)
    success_topic_arn: str | None = None
    error_topic_arn: str | None = None


class SecondVariantSettings(Section):
    """An A/B test: another model version, and the percentage of the requests that it answers."""

    model: int = Field(ge=1)
    traffic_percentage: int = Field(ge=1, le=99)


class ShadowVariantSettings(Section):
    """Another model version that gets a copy of a percentage of the requests; nobody sees its answers."""

    model: int = Field(ge=1)
    sampling_percentage: int = Field(100, ge=1, le=100)
    instance_count: int = Field(1, ge=1, le=100)


class DataCaptureSettings(Section):
    """Keeps a percentage of requests and answers under `prefix` of the bucket."""

    enabled: bool = False
    sampling_percentage: int = Field(100, ge=1, le=100)
    prefix: str = Field("capture/", pattern=r"^capture/([a-zA-Z0-9_.-]+/)*$")


class ScheduleSettings(Section):
    """At these times the bounds of the scaling become others. schedule: at(...), cron(...) or rate(...)."""

    name: str = Field(pattern=r"^[a-zA-Z0-9-]{1,64}$")
    schedule: str = Field(pattern=r"^(at|cron|rate)\(.+\)$")
    timezone: str = "UTC"
    min_capacity: int | None = Field(None, ge=0, le=100)
    max_capacity: int | None = Field(None, ge=1, le=100)

    @model_validator(mode="after")
    def _bounds(self):
        if self.min_capacity is None and self.max_capacity is None:
            raise ValueError("give min_capacity or max_capacity, or both: a schedule changes them")
        if None not in (self.min_capacity, self.max_capacity) and self.min_capacity > self.max_capacity:
            raise ValueError(f"min_capacity {self.min_capacity} exceeds max_capacity {self.max_capacity}")
        return self


class AutoscalingSettings(Section):
    """Target tracking of each production variant. Cooldowns in seconds.

    On invocations per instance and minute; or, if that target is given, on concurrent requests per model, which
    reacts within seconds; an asynchronous endpoint's on waiting requests per instance.
    """

    enabled: bool = True
    min_capacity: int = Field(1, ge=0, le=100)
    max_capacity: int = Field(3, ge=1, le=100)
    target_invocations_per_instance: float = Field(600, gt=0)
    target_concurrent_requests_per_model: float | None = Field(None, gt=0)
    target_backlog_per_instance: float = Field(5, gt=0)
    scale_in_cooldown: int = Field(30, ge=0, le=3600)
    scale_out_cooldown: int = Field(300, ge=0, le=3600)
    schedules: list[ScheduleSettings] = Field([])

    @model_validator(mode="after")
    def _ordered(self):
        if self.min_capacity > self.max_capacity:
            raise ValueError(f"min_capacity {self.min_capacity} exceeds max_capacity {self.max_capacity}")
        names = [action.name for action in self.schedules]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two schedules are called {', '.join(sorted(twice))}: names must differ")
        return self


class DeploymentSettings(Section):
    """Updates. canary: one step, then the rest; linear: steps; rolling: batches, which need no second fleet. A step or
    batch is a percentage of the fleet or a number of instances; each is watched for wait_seconds, and the alarms named
    here roll the update back."""

    traffic_shifting: Literal["all_at_once", "canary", "linear", "rolling"] = "all_at_once"
    step_percentage: int | None = Field(None, ge=1, le=50)
    step_instances: int | None = Field(None, ge=1)
    wait_seconds: int = Field(0, ge=0, le=3600)
    termination_wait_seconds: int = Field(60, ge=0, le=3600)
    maximum_execution_seconds: int | None = Field(None, ge=600, le=28800)
    rollback_alarm_names: list[str] = Field([], max_length=10)

    @model_validator(mode="after")
    def _one_step(self):
        steps = [size for size in (self.step_percentage, self.step_instances) if size is not None]
        if len(steps) != (self.traffic_shifting != "all_at_once"):
            raise ValueError(
                "canary, linear and rolling updates need step_percentage or step_instances, one of them; all_at_once takes neither"
            )
        least = {"linear": 10, "rolling": 5}.get(self.traffic_shifting, 1)
        if self.step_percentage is not None and self.step_percentage < least:
            raise ValueError(
                f"a step of {self.traffic_shifting} is {least} to 50 percent of the fleet, not {self.step_percentage}"
            )
        return self


class ServingSettings(Section):
    """The endpoint. On instances in real time, unless serverless or asynchronous says otherwise."""

    instance_type: InstanceType = "ml.m5.large"
    initial_instance_count: int = Field(1, ge=1, le=100)
    serverless: ServerlessSettings | None = None
    asynchronous: AsynchronousSettings | None = None
    second: SecondVariantSettings | None = None
    shadow: ShadowVariantSettings | None = None
    data_capture: DataCaptureSettings = DataCaptureSettings()
    autoscaling: AutoscalingSettings = AutoscalingSettings()
    deployment: DeploymentSettings = DeploymentSettings()

    @model_validator(mode="after")
    def _serves_one_way(self):
        if self.serverless and self.asynchronous:
            raise ValueError("an endpoint is serverless or asynchronous: remove one of the two sections")
        if self.serverless:
            self._check_serverless()
        if self.asynchronous and self.shadow:
            raise ValueError("an asynchronous endpoint has no shadow variant: remove one of the two sections")
        if self.second and self.shadow:
            raise ValueError(
                "an endpoint has a second variant or a shadow variant: remove one of the two sections"
            )
        if self.second and self.deployment.traffic_shifting == "rolling":
            raise ValueError(
                "SageMaker does not roll an endpoint of two variants: remove second, or choose another traffic_shifting"
            )
        if self.autoscaling.min_capacity == 0 and not self.asynchronous:
            raise ValueError(
                "autoscaling.min_capacity 0: only an asynchronous endpoint scales to zero; give 1 or more"
            )
        return self

    def _check_serverless(self) -> None:
        if given := {"instance_type", "initial_instance_count"} & self.model_fields_set:
            raise ValueError(f"a serverless endpoint has no instances: remove {' and '.join(sorted(given))}")
        if self.data_capture.enabled:
            raise ValueError("a serverless endpoint captures no data: set data_capture.enabled = false")
        if self.second or self.shadow:
            raise ValueError("a serverless endpoint has one variant: remove second and shadow")
        if self.deployment.traffic_shifting != "all_at_once":
            raise ValueError(
                'a serverless endpoint shifts its traffic at once: set traffic_shifting = "all_at_once"'
            )

    @model_validator(mode="after")
    def _can_scale(self):
        family = self.instance_type.split(".")[1]
        if self.autoscaling.enabled and not self.serverless and family.startswith("t"):
            raise ValueError(
                f"{self.instance_type} is burstable, and SageMaker does not scale burstable instances: "
                "choose for example ml.m5.large or ml.c5.large, or set autoscaling.enabled = false"
            )
        return self

    @property
    def hosting(self) -> dict[str, Any]:
        """How it serves, as the stack takes it."""
        if self.serverless:
            return {"serverless": self.serverless.model_dump()}
        if self.asynchronous:
            instances = {"instance_type": self.instance_type, "initial_count": self.initial_instance_count}
            return {"asynchronous": {**instances, **self.asynchronous.model_dump(exclude_none=True)}}
        return {"instance": {"type": self.instance_type, "initial_count": self.initial_instance_count}}
