"""Scalable targets, policies and scheduled actions: moto's records, and the changes of capacity that they make."""

from __future__ import annotations

import math
import time
import uuid
from typing import Any, cast

from moto.applicationautoscaling import models
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.cloudwatch.models import Alarm
from moto.core.exceptions import JsonRESTError

from embedded_aws.runtime import Runtime
from embedded_aws.services.applicationautoscaling import alarms
from embedded_aws.services.applicationautoscaling.dimension import Dimension
from embedded_aws.services.applicationautoscaling.dimensions import dimension_of
from embedded_aws.services.applicationautoscaling.rules import StepScaling, TargetTracking
from embedded_aws.services.applicationautoscaling.schedules import Schedule
from embedded_aws.services.applicationautoscaling.tags import TagsBackend

ACTIVITIES_KEPT = 200


class ObjectNotFoundException(JsonRESTError):
    """AWS's error for a policy or a schedule without a scalable target."""

    def __init__(self, namespace: str, resource: str, dimension: str) -> None:
        message = (
            f"No scalable target found for service namespace: {namespace}, resource ID: {resource}, "
            f"scalable dimension: {dimension}"
        )
        super().__init__("ObjectNotFoundException", message)


class EmbeddedApplicationAutoscalingBackend(TagsBackend):
    """moto's backend. Alarms call `act`, the clock calls `tick`."""

    runtime: Runtime

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.activities: list[dict[str, Any]] = []
        self.last_scalings: dict[
            str, dict[str, float]
        ] = {}  # by resource: "out" and "in" (Unix times), "added"
        self.last_tick = time.time()

    def register_scalable_target(  # type: ignore[override]
        self, namespace: str, r_id: str, dimension: str, **settings: Any
    ) -> models.FakeScalableTarget:
        scaled = self._dimension(dimension)
        if scaled and scaled.namespace == namespace:
            scaled.check(r_id)
        existing = self.targets.get(dimension, {}).get(r_id)
        low = _first(settings.get("min_capacity"), existing and existing.min_capacity)
        high = _first(settings.get("max_capacity"), existing and existing.max_capacity)
        if low is None or high is None:
            raise AWSValidationException(
                "Both MinCapacity and MaxCapacity are required to register a target."
            )
        if high < low:
            raise AWSValidationException("Maximum capacity cannot be less than minimum capacity.")
        if scaled:
            scaled.check_minimum(r_id, low)
        return super().register_scalable_target(namespace, r_id, dimension, **settings)

    def deregister_scalable_target(self, namespace: str, r_id: str, dimension: str) -> None:
        """Deregister a target with its policies, their alarms and its scheduled actions."""
        super().deregister_scalable_target(namespace, r_id, dimension)
        self.last_scalings.pop(r_id, None)
        for key, policy in list(self.policies.items()):
            if (policy.resource_id, policy.scalable_dimension) == (r_id, dimension):
                policy.delete_alarms(self.account_id, self.region_name)
                del self.policies[key]
        self.scheduled_actions = [
            a for a in self.scheduled_actions if (a.resource_id, a.scalable_dimension) != (r_id, dimension)
        ]

    def put_scaling_policy(
        self,
        policy_name: str,
        service_namespace: str,
        resource_id: str,
        scalable_dimension: str,
        policy_body: dict[str, Any],
        policy_type: str | None,
    ) -> models.FakeApplicationAutoscalingPolicy:
        if not self._scalable_target_exists(resource_id, scalable_dimension):
            raise ObjectNotFoundException(service_namespace, resource_id, scalable_dimension)
        key = models.FakeApplicationAutoscalingPolicy.formulate_key(
            service_namespace, resource_id, scalable_dimension, policy_name
        )
        old = self.policies.get(key)
        is_scaled_here = scalable_dimension in alarms.PREDEFINED
        if is_scaled_here and (policy_body or not old):
            if (policy_type or (old and old.policy_type)) == "StepScaling":
                StepScaling.of(policy_body or {})
            else:
                alarms.check(policy_body or {}, scalable_dimension)
        policy = super().put_scaling_policy(
            policy_name, service_namespace, resource_id, scalable_dimension, policy_body, policy_type
        )
        if old:
            policy.policy_arn, policy.creation_time = old.policy_arn, old.creation_time
            old.delete_alarms(self.account_id, self.region_name)
        if is_scaled_here and policy.policy_type == "TargetTrackingScaling":
            policy.alarms = alarms.create(self.account_id, self.region_name, policy)
        return policy

    def put_scheduled_action(  # type: ignore[override]
        self,
        service_namespace: str,
        schedule: str,
        timezone: str,
        scheduled_action_name: str,
        resource_id: str,
        scalable_dimension: str,
        start_time: Any,
        end_time: Any,
        scalable_target_action: dict[str, Any],
    ) -> None:
        if not self._scalable_target_exists(resource_id, scalable_dimension):
            raise ObjectNotFoundException(service_namespace, resource_id, scalable_dimension)
        if schedule:
            Schedule(schedule, timezone or "UTC")
        low, high = (
            scalable_target_action.get(m) if scalable_target_action else None
            for m in ("MinCapacity", "MaxCapacity")
        )
        if low is not None and high is not None and low > high:
            raise AWSValidationException("Maximum capacity cannot be less than minimum capacity.")
        if scaled := self._dimension(scalable_dimension):
            for bound in (low, high):
                scaled.check_minimum(resource_id, bound)
        super().put_scheduled_action(
            service_namespace,
            schedule,
            timezone,
            scheduled_action_name,
            resource_id,
            scalable_dimension,
            start_time,
            end_time,
            cast(Any, scalable_target_action),
        )

    def act(self, arn: str, alarm: Alarm, values: list[float], now: float) -> None:
        """Apply a policy whose alarm is in ALARM.

        values: those that the alarm has evaluated, oldest first. now: Unix time.
        """
        policy = next((p for p in self.policies.values() if arn.startswith(p.policy_arn)), None)
        target: Any = policy and self.targets.get(policy.scalable_dimension, {}).get(policy.resource_id)
        scaled = policy and self._dimension(policy.scalable_dimension)
        if not policy or not target or not scaled or not scaled.is_ready(policy.resource_id):
            return
        current = scaled.capacity(policy.resource_id)
        last = self.last_scalings.setdefault(policy.resource_id, {})
        added = int(last.get("added", 0))
        since_out, since_in = self._since(last, "out", now), self._since(last, "in", now)
        if policy.policy_type == "StepScaling":
            step = StepScaling.of(policy.step_scaling_policy_configuration or {}, scaled.cooldown)
            wanted = step.capacity(values, float(alarm.threshold), current, min(since_out, since_in), added)
        else:
            configuration = policy.target_tracking_scaling_policy_configuration or {}
            rule = TargetTracking.of(configuration, alarms.points_in(policy), scaled.cooldown)
            least = min(1, target.min_capacity)
            wanted = rule.capacity(values, current, since_out, since_in, added, least)
            if wanted < current and not self._all_low(policy.resource_id):
                return
        suspended = target.suspended_state or {}
        if suspended.get("DynamicScalingOutSuspended" if wanted > current else "DynamicScalingInSuspended"):
            return
        bounded = min(max(wanted, target.min_capacity), target.max_capacity)
        if bounded == current:
            return
        cause = f"monitor alarm {alarm.name} in state ALARM triggered policy {policy.policy_name}"
        self._scale(scaled, policy.resource_id, current, bounded, cause, now)

    def tick(self, now: float) -> None:
        """Run the scheduled actions that are due at Unix time `now`, and enforce the bounds of every target."""
        after, self.last_tick = self.last_tick, now
        for action in list(self.scheduled_actions):
            self._run_schedule(action, after, now)
        for name, targets in list(self.targets.items()):
            if scaled := self._dimension(name):
                for resource, target in list(targets.items()):
                    self._enforce_bounds(scaled, resource, target, now)

    def _enforce_bounds(self, scaled: Dimension, resource: str, target: Any, now: float) -> None:
        if not scaled.is_ready(resource):
            return
        scaled.record_idle(resource)
        current = scaled.capacity(resource)
        if current < target.min_capacity:
            cause = f"minimum capacity was set to {target.min_capacity}"
            self._scale(scaled, resource, current, target.min_capacity, cause, now)
        elif current > target.max_capacity:
            cause = f"maximum capacity was set to {target.max_capacity}"
            self._scale(scaled, resource, current, target.max_capacity, cause, now)

    def tracked(self, metric_type: str) -> set[str]:
        """Return the resources that a policy scales by a predefined metric."""
        found = set()
        for policy in list(self.policies.values()):
            configuration = policy.target_tracking_scaling_policy_configuration or {}
            specification = configuration.get("PredefinedMetricSpecification") or {}
            if specification.get("PredefinedMetricType") == metric_type:
                found.add(policy.resource_id)
        return found

    def _run_schedule(self, action: Any, after: float, now: float) -> None:
        target: Any = self.targets.get(action.scalable_dimension, {}).get(action.resource_id)
        start = max(action.creation_time, float(action.start_time or 0))
        if target is None or now < start or (action.end_time and now > float(action.end_time)):
            return
        schedule = Schedule(action.schedule, action.timezone or "UTC")
        if (target.suspended_state or {}).get("ScheduledScalingSuspended") or not schedule.due(
            after, now, start, self.runtime.time_scale
        ):
            return
        wanted = action.scalable_target_action or {}
        low, high = wanted.get("MinCapacity"), wanted.get("MaxCapacity")
        target.update(low, high, None)
        words = [
            f"{name} capacity to {value}"
            for name, value in (("min", low), ("max", high))
            if value is not None
        ]
        activity = self._activity(
            action.scalable_dimension,
            action.resource_id,
            f"Setting {' and '.join(words)}",
            f"scheduled action name {action.scheduled_action_name} was triggered",
            now,
        )
        activity |= {
            "StatusCode": "Successful",
            "EndTime": now,
            "StatusMessage": f"Successfully set {' and '.join(words)}",
        }

    def _scale(
        self, scaled: Dimension, resource: str, current: int, count: int, cause: str, now: float
    ) -> None:
        name = scaled.capacity_name
        activity = self._activity(scaled.name, resource, f"Setting desired {name} to {count}.", cause, now)

        def finished(reason: str | None) -> None:
            activity["EndTime"] = time.time()
            activity["StatusMessage"] = reason or (
                f"Successfully set desired {name} to {count}. "
                f"Change successfully fulfilled by {scaled.namespace}."
            )
            activity["StatusCode"] = "Failed" if reason else "Successful"
            self.runtime.changed()

        scaled.resize(resource, count, finished)
        last = self.last_scalings.setdefault(resource, {})
        if count > current:
            last.update(out=now, added=count - current)
        else:
            last["in"] = now

    def _activity(
        self, dimension: str, resource: str, description: str, cause: str, now: float
    ) -> dict[str, Any]:
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": dimension.partition(":")[0],
            "ResourceId": resource,
            "ScalableDimension": dimension,
            "Description": description,
            "Cause": cause,
            "StartTime": now,
            "StatusCode": "InProgress",
        }
        self.activities = [activity, *self.activities[: ACTIVITIES_KEPT - 1]]
        return activity

    def _all_low(self, resource: str) -> bool:
        """Return whether all target tracking policies of a resource scale in; as on AWS, one alone does not."""
        lows = [
            alarm
            for policy in self.policies.values()
            if policy.resource_id == resource
            for alarm in policy.alarms
            if alarm.comparison_operator == "LessThanThreshold"
        ]
        return all(alarm.state_value == "ALARM" for alarm in lows)

    def _dimension(self, name: str) -> Dimension | None:
        return dimension_of(self.runtime, self.account_id, self.region_name, name)

    def _since(self, last: dict[str, float], direction: str, now: float) -> float:
        """Return the service's seconds since the last scaling in a direction, "out" or "in"."""
        return (now - last[direction]) * self.runtime.time_scale if direction in last else math.inf


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
