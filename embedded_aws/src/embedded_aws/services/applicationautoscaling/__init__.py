"""Application Auto Scaling of endpoint variants and functions: policies and schedules that change capacities."""

from embedded_aws.services.applicationautoscaling.backend import ScalingBackend, install, run
from embedded_aws.services.applicationautoscaling.rules import StepScaling, TargetTracking

__all__ = ["ScalingBackend", "StepScaling", "TargetTracking", "install", "run"]
