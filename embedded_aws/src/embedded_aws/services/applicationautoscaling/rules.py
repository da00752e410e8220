"""Scaling policies as functions: from the values of an alarm in ALARM to a capacity."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException

POINTS_OUT = 3  # datapoints above the target that scale out
POINTS_IN = 15  # minutes below it that scale in
LOW = 0.9  # of the target: the threshold of the low alarm, as on AWS
COOLDOWN = 300.0  # seconds, unless the policy sets others


@dataclass(frozen=True)
class TargetTracking:
    """A target tracking policy. Times are in the service's seconds."""

    target: float
    """Value of the metric per unit of capacity."""

    scale_out_cooldown: float = COOLDOWN
    scale_in_cooldown: float = COOLDOWN
    scale_in_disabled: bool = False
    points_in: int = POINTS_IN
    """How many datapoints below the target scale in."""

    @classmethod
    def of(
        cls, configuration: dict[str, Any], points_in: int = POINTS_IN, cooldown: float = COOLDOWN
    ) -> TargetTracking:
        """Parse a TargetTrackingScalingPolicyConfiguration. cooldown: unless it sets one."""
        return cls(
            float(configuration["TargetValue"]),
            float(configuration.get("ScaleOutCooldown", cooldown)),
            float(configuration.get("ScaleInCooldown", cooldown)),
            bool(configuration.get("DisableScaleIn", False)),
            points_in,
        )

    def capacity(
        self,
        points: list[float],
        current: int,
        since_out: float = math.inf,
        since_in: float = math.inf,
        last_added: int = 0,
        least: int = 1,
    ) -> int:
        """Return the new capacity.

        points: the alarm's latest values, oldest first. since_out, since_in: seconds since the last scaling.
        last_added: size of the last step out. least: smallest capacity to scale in to.
        During a scale-out cooldown only a larger step than the last is made, and nothing scales in.
        """
        latest, quiet = points[-POINTS_OUT:], points[-self.points_in :]
        if len(latest) == POINTS_OUT and min(latest) > self.target:
            wanted = math.ceil(max(1, current) * latest[-1] / self.target)
            if since_out >= self.scale_out_cooldown or wanted - current > last_added:
                return wanted
        elif len(quiet) == self.points_in and max(quiet) < LOW * self.target:
            cooled = since_in >= self.scale_in_cooldown and since_out >= self.scale_out_cooldown
            if cooled and not self.scale_in_disabled:
                return max(least, math.ceil(current * max(quiet) / self.target))
        return current


@dataclass(frozen=True)
class StepScaling:
    """A step scaling policy: the step depends on how far the metric is beyond the alarm's threshold.

    Times are in the service's seconds.
    """

    kind: str
    """AdjustmentType."""

    steps: tuple[tuple[float, float, int], ...]
    """(lower, upper, adjustment); the bounds are relative to the threshold."""

    cooldown: float = COOLDOWN
    minimum: int = 0
    """MinAdjustmentMagnitude."""

    aggregation: str = "Average"
    """MetricAggregationType."""

    @classmethod
    def of(cls, configuration: dict[str, Any], cooldown: float = COOLDOWN) -> StepScaling:
        """Parse a StepScalingPolicyConfiguration. cooldown: unless it sets one.

        Raises ValidationException, e.g. if steps overlap or leave gaps.
        """
        kinds = ("ChangeInCapacity", "PercentChangeInCapacity", "ExactCapacity")
        kind = configuration.get("AdjustmentType")
        if kind not in kinds:
            raise AWSValidationException(f"AdjustmentType must be one of {', '.join(kinds)}, not {kind}.")
        steps = sorted(
            (
                float(step.get("MetricIntervalLowerBound", -math.inf)),
                float(step.get("MetricIntervalUpperBound", math.inf)),
                int(step["ScalingAdjustment"]),
            )
            for step in configuration.get("StepAdjustments") or []
        )
        if not steps:
            raise AWSValidationException("At least one StepAdjustment must be specified.")
        if any(lower >= upper for lower, upper, _ in steps):
            raise AWSValidationException(
                "A StepAdjustment's MetricIntervalLowerBound must be below its MetricIntervalUpperBound."
            )
        if any(before[1] != after[0] for before, after in itertools.pairwise(steps)):
            raise AWSValidationException("StepAdjustment intervals can't overlap or have gaps.")
        return cls(
            kind,
            tuple(steps),
            float(configuration.get("Cooldown", cooldown)),
            int(configuration.get("MinAdjustmentMagnitude", 0)),
            configuration.get("MetricAggregationType", "Average"),
        )

    def capacity(
        self,
        points: list[float],
        threshold: float,
        current: int,
        since: float = math.inf,
        last_added: int = 0,
    ) -> int:
        """Return the new capacity. During the cooldown only a larger step out than the last is made.

        points: the alarm's latest values. since: seconds since the last scaling, in or out.
        last_added: size of the last step out.
        """
        if not points:
            return current
        value = {"Maximum": max(points), "Minimum": min(points)}.get(
            self.aggregation, sum(points) / len(points)
        )
        breach = value - threshold
        for lower, upper, adjustment in self.steps:
            # As on AWS, an interval includes the bound that is nearer to the threshold.
            if (lower < breach or (lower == breach and breach >= 0)) and (
                breach < upper or (breach == upper and breach <= 0)
            ):
                wanted = max(0, self._adjusted(current, adjustment))
                larger = wanted - current > last_added
                return wanted if since >= self.cooldown or larger else current
        return current

    def _adjusted(self, current: int, adjustment: int) -> int:
        if self.kind == "ExactCapacity":
            return adjustment
        if self.kind == "ChangeInCapacity":
            return current + adjustment
        change = current * adjustment / 100
        # As on AWS: changes above 1 are rounded down, smaller ones become 1.
        size = math.floor(abs(change)) if abs(change) >= 1 else math.ceil(abs(change))
        return current + int(math.copysign(max(size, self.minimum), adjustment)) if adjustment else current
