"""The endpoint and how it scales."""

from __future__ import annotations

from pydantic import Field, model_validator

from ops.settings.section import InstanceType, Section


class AutoscalingSettings(Section):
    """Target tracking of the endpoint's variant. Cooldowns in seconds; target in invocations per instance and minute."""

    enabled: bool = True
    min_capacity: int = Field(1, ge=1, le=100)
    max_capacity: int = Field(3, ge=1, le=100)
    target_invocations_per_instance: float = Field(600, gt=0)
    scale_in_cooldown: int = Field(30, ge=0, le=3600)
    scale_out_cooldown: int = Field(300, ge=0, le=3600)

    @model_validator(mode="after")
    def _ordered(self):
        if self.min_capacity > self.max_capacity:
            raise ValueError(f"min_capacity {self.min_capacity} exceeds max_capacity {self.max_capacity}")
        return self


class ServingSettings(Section):
    """The endpoint."""

    instance_type: InstanceType = "ml.m5.large"
    initial_instance_count: int = Field(1, ge=1, le=100)
    autoscaling: AutoscalingSettings = AutoscalingSettings()
    termination_wait_seconds: int = Field(60, ge=0, le=3600)

    @model_validator(mode="after")
    def _can_scale(self):
        family = self.instance_type.split(".")[1]
        if self.autoscaling.enabled and family.startswith("t"):
            raise ValueError(
                f"{self.instance_type} is burstable, and SageMaker does not scale burstable instances: "
                "choose for example ml.m5.large or ml.c5.large, or set autoscaling.enabled = false"
            )
        return self
