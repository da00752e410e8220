"""Application Auto Scaling of endpoint variants: target tracking that adds and removes instances."""

from __future__ import annotations

import json
import logging
import math
import time
import uuid
from dataclasses import dataclass
from typing import Any, cast

from moto.applicationautoscaling import models, urls
from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.core.exceptions import JsonRESTError
from moto.sagemaker.models import sagemaker_backends

from local_aws import runtime
from local_aws.fixes.applicationautoscaling import (
    LocalApplicationAutoscalingBackend,
    LocalApplicationAutoScalingResponse,
)
from local_aws.sagemaker.hosting import metrics

log = logging.getLogger(__name__)

METRIC = "SageMakerVariantInvocationsPerInstance"
POINTS_OUT, POINTS_IN = 3, 15  # one-minute points over or under the target before the alarm goes off
LOW = 0.9  # of the target: where AWS sets the alarm for scaling in
COOLDOWN = 300.0  # seconds, if the policy does not say
ACTIVITIES_KEPT = 200


class ObjectNotFoundException(JsonRESTError):
    """A policy for what is no scalable target."""

    def __init__(self, message: str):
        super().__init__("ObjectNotFoundException", message)


@dataclass(frozen=True)
class TargetTracking:
    """AWS's rule. Times are in the service's seconds, values per instance and minute."""

    target: float
    scale_out_cooldown: float = COOLDOWN
    scale_in_cooldown: float = COOLDOWN
    scale_in_disabled: bool = False

    @classmethod
    def of(cls, configuration: dict[str, Any]) -> TargetTracking:
        """From a TargetTrackingScalingPolicyConfiguration."""
        return cls(
            float(configuration["TargetValue"]),
            float(configuration.get("ScaleOutCooldown", COOLDOWN)),
            float(configuration.get("ScaleInCooldown", COOLDOWN)),
            bool(configuration.get("DisableScaleIn", False)),
        )

    def capacity(
        self,
        points: list[float],
        current: int,
        since_out: float = math.inf,
        since_in: float = math.inf,
        last_added: int = 0,
    ) -> int:
        """The capacity wanted, given one-minute `points`, oldest first, and the last scalings.

        During a scale-out cooldown only a larger step than the last is made; a scale-in never cuts one short.
        """
        latest, quiet = points[-POINTS_OUT:], points[-POINTS_IN:]
        if len(latest) == POINTS_OUT and min(latest) > self.target:
            wanted = math.ceil(current * latest[-1] / self.target)
            if since_out >= self.scale_out_cooldown or wanted - current > last_added:
                return wanted
        elif len(quiet) == POINTS_IN and max(quiet) < LOW * self.target:
            cooled = since_in >= self.scale_in_cooldown and since_out >= self.scale_out_cooldown
            if cooled and not self.scale_in_disabled:
                return max(1, math.ceil(current * max(quiet) / self.target))
        return current


class ScalingBackend(LocalApplicationAutoscalingBackend):
    """Targets and policies as moto keeps them, with what happened to them."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.activities: list[dict[str, Any]] = []
        self.last_scalings: dict[str, dict[str, float]] = {}  # by resource: "out", "in" (Unix time), "added"

    def register_scalable_target(  # type: ignore[override]
        self, namespace: str, r_id: str, dimension: str, **settings: Any
    ) -> models.FakeScalableTarget:
        if namespace == "sagemaker" and dimension == "sagemaker:variant:DesiredInstanceCount":
            variant = self._variant(r_id)
            if variant["InstanceType"].split(".")[1].startswith("t"):
                raise AWSValidationException(
                    "SageMaker doesn't support auto scaling for burstable instances such as T2: variant "
                    f"{variant['VariantName']} runs on {variant['InstanceType']}."
                )
        existing = self.targets.get(dimension, {}).get(r_id)
        low = _first(settings.get("min_capacity"), existing and existing.min_capacity)
        high = _first(settings.get("max_capacity"), existing and existing.max_capacity)
        if low is None or high is None:
            raise AWSValidationException(
                "Both MinCapacity and MaxCapacity are required to register a target."
            )
        if high < low:
            raise AWSValidationException("Maximum capacity cannot be less than minimum capacity.")
        return super().register_scalable_target(namespace, r_id, dimension, **settings)

    def deregister_scalable_target(self, namespace: str, r_id: str, dimension: str) -> None:
        super().deregister_scalable_target(namespace, r_id, dimension)
        self.last_scalings.pop(r_id, None)
        for key in [
            k for k, p in self.policies.items() if (p.resource_id, p.scalable_dimension) == (r_id, dimension)
        ]:
            del self.policies[key]

    def put_scaling_policy(self, policy_name: str, service_namespace: str, resource_id: str, scalable_dimension: str, policy_body: dict[str, Any], policy_type: str | None):  # fmt: skip
        if not self._scalable_target_exists(resource_id, scalable_dimension):
            raise ObjectNotFoundException(
                f"No scalable target found for service namespace: {service_namespace}, resource ID: "
                f"{resource_id}, scalable dimension: {scalable_dimension}"
            )
        if service_namespace == "sagemaker":
            specification = (policy_body or {}).get("PredefinedMetricSpecification", {})
            if policy_type != "TargetTrackingScaling" or specification.get("PredefinedMetricType") != METRIC:
                raise AWSValidationException(
                    f"The embedded AWS scales endpoint variants by target tracking of {METRIC} only."
                )
        return super().put_scaling_policy(
            policy_name, service_namespace, resource_id, scalable_dimension, policy_body, policy_type
        )

    def evaluate(self, now: float) -> None:
        """Apply the policies of every endpoint variant at Unix time `now`; call once per minute of the service."""
        for resource, target in list(self.targets.get("sagemaker:variant:DesiredInstanceCount", {}).items()):
            self._evaluate_target(resource, target, now)

    def _evaluate_target(self, resource: str, target: Any, now: float) -> None:
        _, endpoint_name, _, name = resource.split("/")
        endpoint = self._sagemaker.hosted_endpoints.get(endpoint_name)
        if endpoint is None or endpoint["EndpointStatus"] != "InService":
            return
        variant = self._variant(resource)
        current = variant["DesiredInstanceCount"]
        last = self.last_scalings.setdefault(resource, {})
        wanted, cause = current, ""
        for policy in [p for p in self.policies.values() if p.resource_id == resource]:
            began = metrics.minute(max(policy.creation_time, endpoint["CreationTime"].timestamp())) + 1
            this = metrics.minute(now)
            points = metrics.sums(
                (self.account_id, self.region_name, endpoint_name),
                name,
                "InvocationsPerInstance",
                range(max(this - POINTS_IN, began), this),
            )
            rule = TargetTracking.of(policy.target_tracking_scaling_policy_configuration or {})
            proposed = rule.capacity(
                points, current, _since(last, "out", now), _since(last, "in", now), int(last.get("added", 0))
            )
            if proposed != current and (wanted == current or proposed > wanted):
                wanted = proposed
                alarm = "AlarmHigh" if proposed > current else "AlarmLow"
                cause = (
                    f"monitor alarm TargetTracking-{resource}-{alarm} in state ALARM triggered policy "
                    f"{policy.policy_name}"
                )
        suspended = target.suspended_state or {}
        if suspended.get("DynamicScalingOutSuspended" if wanted > current else "DynamicScalingInSuspended"):
            wanted = current
        bounded = min(max(wanted, target.min_capacity), target.max_capacity)
        if bounded == current:
            return
        if bounded > wanted:
            cause = f"minimum capacity was set to {target.min_capacity}"
        elif wanted == current:
            cause = f"maximum capacity was set to {target.max_capacity}"
        self._scale(resource, bounded, cause, now)
        if bounded > current:
            last.update(out=now, added=bounded - current)
        else:
            last["in"] = now

    def _scale(self, resource: str, count: int, cause: str, now: float) -> None:
        _, endpoint, _, variant = resource.split("/")
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "ServiceNamespace": "sagemaker",
            "ResourceId": resource,
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            "Description": f"Setting desired instance count to {count}.",
            "Cause": cause,
            "StartTime": now,
            "StatusCode": "InProgress",
        }

        def finished(reason: str | None) -> None:
            activity["EndTime"] = time.time()
            activity["StatusMessage"] = reason or (
                f"Successfully set desired instance count to {count}. Change successfully fulfilled by sagemaker."
            )
            activity["StatusCode"] = "Failed" if reason else "Successful"

        self._sagemaker.resize_hosted_endpoint(
            endpoint, [{"VariantName": variant, "DesiredInstanceCount": count}], finished
        )
        self.activities = [activity, *self.activities[: ACTIVITIES_KEPT - 1]]

    @property
    def _sagemaker(self):
        return sagemaker_backends[self.account_id][self.region_name]

    def _variant(self, resource: str) -> dict[str, Any]:
        """The deployed variant of a resource ID. Raises ValidationException if there is none."""
        parts = resource.split("/")
        if len(parts) == 4 and (parts[0], parts[2]) == ("endpoint", "variant"):
            endpoint = self._sagemaker.hosted_endpoints.get(parts[1], {})
            for variant in (endpoint.get("Deployed") or {"Variants": []})["Variants"]:
                if variant["VariantName"] == parts[3]:
                    return variant
        raise AWSValidationException(
            f"SageMaker endpoint variant doesn't exist or is not in service: {resource}"
        )


class ScalingResponse(LocalApplicationAutoScalingResponse):
    """moto's responses, with ours in front."""

    def describe_scaling_activities(self) -> str:
        namespace, resource = self._get_param("ServiceNamespace"), self._get_param("ResourceId")
        backend: Any = self.applicationautoscaling_backend
        activities = [
            activity
            for activity in backend.activities
            if activity["ServiceNamespace"] == namespace and resource in (None, activity["ResourceId"])
        ]
        return json.dumps({"ScalingActivities": activities[: self._get_int_param("MaxResults") or 50]})

    def put_scheduled_action(self) -> str:
        raise NotImplementedError("PutScheduledAction")


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _since(last: dict[str, float], what: str, now: float) -> float:
    return (now - last[what]) * runtime.current().time_scale if what in last else math.inf


def run(current: runtime.Runtime) -> None:
    """Evaluate every minute of the service, until the embedded AWS stops."""
    while not current.stopping.wait(metrics.period()):
        for regions in list(models.applicationautoscaling_backends.values()):
            for backend in list(regions.values()):
                try:
                    cast(ScalingBackend, backend).evaluate(time.time())
                except Exception:  # one broken target must not end the scaling of the others
                    log.exception("scaling in %s failed", backend.region_name)


def install() -> None:
    """Put our backend and responses in moto's place."""
    models.applicationautoscaling_backends.backend = ScalingBackend
    urls.url_paths["{0}/$"] = ScalingResponse.dispatch
