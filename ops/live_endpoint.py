"""What an endpoint serves now, as SageMaker reports it: status, configuration, model versions, instances."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import is_missing
from ops.environment import Environment

CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


@dataclass(frozen=True)
class LiveEndpoint:
    """An endpoint.

    status: EndpointStatus.
    config: name of the configuration in service; empty if SageMaker names none.
    packages: ARN of the model package of each variant, the main one's first; an empty string for a model without one.
    desired, current: number of instances of each production variant; a serverless variant has none.
    alarms: names of the alarms that could roll back the last update; None if no update set a deployment configuration.
    reason: why the last change failed; empty if it did not.
    """

    name: str
    status: str
    config: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    desired: dict[str, int] = field(default_factory=dict)
    current: dict[str, int] = field(default_factory=dict)
    alarms: tuple[str, ...] | None = None
    reason: str = ""

    @property
    def package(self) -> str:
        """ARN of the model package of the main variant; empty if it is not known."""
        return next(iter(self.packages.values()), "")

    @property
    def versions(self) -> dict[str, str]:
        """Model version of each variant, for people; `?` for a model that is not a registered version."""
        return {variant: package.rpartition("/")[2] or "?" for variant, package in self.packages.items()}


def find(env: Environment, name: str) -> LiveEndpoint | None:
    """Return an endpoint, or None if there is none of this name."""
    live = _describe(env, "describe_endpoint", EndpointName=name)
    if live is None:
        return None
    config = live.get("EndpointConfigName", "")
    variants = live.get("ProductionVariants", [])
    last = live.get("LastDeploymentConfig")
    return LiveEndpoint(
        name=name,
        status=live["EndpointStatus"],
        config=config,
        packages=packages(env, config) if config else {},
        desired=_counts(variants, "DesiredInstanceCount"),
        current=_counts(variants, "CurrentInstanceCount"),
        alarms=None if last is None else _alarms(last),
        reason=live.get("FailureReason", ""),
    )


def packages(env: Environment, config: str) -> dict[str, str]:
    """Return the model package of each variant of an endpoint configuration; none if the configuration is deleted."""
    described = _describe(env, "describe_endpoint_config", EndpointConfigName=config) or {}
    variants = [*described.get("ProductionVariants", []), *described.get("ShadowProductionVariants", [])]
    models = {
        v["VariantName"]: _describe(env, "describe_model", ModelName=v["ModelName"]) or {} for v in variants
    }
    return {
        variant: model.get("PrimaryContainer", {}).get("ModelPackageName", "")
        for variant, model in models.items()
    }


def _describe(env: Environment, operation: str, **request: str) -> dict[str, Any] | None:
    """Return SageMaker's answer, or None if there is no such thing."""
    try:
        answer: dict[str, Any] = getattr(env.client("sagemaker"), operation)(**request)
    except ClientError as error:
        if is_missing(error):
            return None
        raise
    return answer


def _counts(variants: list[dict[str, Any]], member: str) -> dict[str, int]:
    return {variant["VariantName"]: variant[member] for variant in variants if member in variant}


def _alarms(deployment: dict[str, Any]) -> tuple[str, ...]:
    alarms = deployment.get("AutoRollbackConfiguration", {}).get("Alarms", [])
    return tuple(alarm["AlarmName"] for alarm in alarms)
