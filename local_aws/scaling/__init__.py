"""Application Auto Scaling of endpoint variants: policies and schedules that add and remove instances."""

from local_aws.scaling.backend import ScalingBackend, install, run
from local_aws.scaling.rules import StepScaling, TargetTracking

__all__ = ["ScalingBackend", "StepScaling", "TargetTracking", "install", "run"]
