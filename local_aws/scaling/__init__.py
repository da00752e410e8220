"""Application Auto Scaling of endpoint variants and functions: policies and schedules that change capacities."""

from local_aws.scaling.backend import ScalingBackend, install, run
from local_aws.scaling.rules import StepScaling, TargetTracking

__all__ = ["ScalingBackend", "StepScaling", "TargetTracking", "install", "run"]
