"""The alarms of target tracking policies: CloudWatch evaluates them, and they trigger the policy."""

from __future__ import annotations

import uuid
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.cloudwatch.models import Alarm, cloudwatch_backends

from embedded_aws.services.applicationautoscaling.rules import LOW, POINTS_IN, POINTS_OUT

INVOCATIONS = "SageMakerVariantInvocationsPerInstance"
CONCURRENCY = "SageMakerVariantConcurrentRequestsPerModelHighResolution"
UTILIZATION = "LambdaProvisionedConcurrencyUtilization"
VARIANT = "sagemaker:variant:DesiredInstanceCount"
PROVISIONED = "lambda:function:ProvisionedConcurrency"
# By scalable dimension and metric type: namespace, metric, statistic, period in seconds.
PREDEFINED = {
    VARIANT: {
        INVOCATIONS: ("AWS/SageMaker", "InvocationsPerInstance", "Sum", 60),
        CONCURRENCY: ("AWS/SageMaker", "ConcurrentRequestsPerModel", "Average", 10),
    },
    PROVISIONED: {UTILIZATION: ("AWS/Lambda", "ProvisionedConcurrencyUtilization", "Average", 60)},
}


def check(configuration: dict[str, Any], dimension: str) -> None:
    """Raise ValidationException for a TargetTrackingScalingPolicyConfiguration that cannot work."""
    predefined = configuration.get("PredefinedMetricSpecification")
    customized = configuration.get("CustomizedMetricSpecification")
    if bool(predefined) == bool(customized):
        raise AWSValidationException(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified."
        )
    if predefined and predefined["PredefinedMetricType"] not in PREDEFINED[dimension]:
        raise AWSValidationException(
            f"The predefined metric type {predefined['PredefinedMetricType']} is not supported for {dimension}: "
            f"the embedded AWS has {', '.join(PREDEFINED[dimension])}."
        )
    if customized and "Metrics" in customized:
        raise AWSValidationException(
            "The embedded AWS does not support metric math in target tracking policies."
        )
    if float(configuration.get("TargetValue", 0)) <= 0:
        raise AWSValidationException("TargetValue must be greater than 0.")


def points_in(policy: Any) -> int:
    """Return the number of datapoints of the low alarm: those of 15 minutes."""
    return int(POINTS_IN * 60 // _metric(policy)[-1])


def create(account: str, region: str, policy: Any) -> list[Alarm]:
    """Create the high and the low alarm of a policy, with AWS's names."""
    configuration = policy.target_tracking_scaling_policy_configuration
    namespace, metric, dimensions, statistic, unit, period = _metric(policy)
    target = float(configuration["TargetValue"])
    created = []
    for kind, comparison, threshold, count in (
        ("High", "GreaterThanThreshold", target, POINTS_OUT),
        ("Low", "LessThanThreshold", LOW * target, points_in(policy)),
    ):
        if kind == "Low" and configuration.get("DisableScaleIn"):
            continue
        alarm = cloudwatch_backends[account][region].put_metric_alarm(
            name=f"TargetTracking-{policy.resource_id}-Alarm{kind}-{uuid.uuid4()}",
            namespace=namespace,
            metric_name=metric,
            comparison_operator=comparison,
            evaluation_periods=count,
            period=period,
            threshold=threshold,
            statistic=statistic,
            unit=unit,
            description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.policy_arn}.",
            dimensions=dimensions,
            alarm_actions=[policy.policy_arn],
        )
        created.append(alarm)
    return created


def _metric(policy: Any) -> tuple[Any, ...]:
    """Return namespace, metric, dimensions, statistic, unit and period of a policy's metric."""
    configuration = policy.target_tracking_scaling_policy_configuration
    if custom := configuration.get("CustomizedMetricSpecification"):
        return (
            custom["Namespace"],
            custom["MetricName"],
            custom.get("Dimensions") or [],
            custom["Statistic"],
            custom.get("Unit"),
            60,
        )
    kind = configuration["PredefinedMetricSpecification"]["PredefinedMetricType"]
    namespace, metric, statistic, period = PREDEFINED[policy.scalable_dimension][kind]
    if policy.scalable_dimension == VARIANT:
        _, endpoint, _, variant = policy.resource_id.split("/")
        values = {"EndpointName": endpoint, "VariantName": variant}
    else:
        _, name, qualifier = policy.resource_id.split(":")
        values = {"FunctionName": name, "Resource": f"{name}:{qualifier}"}
    dimensions = [{"Name": name, "Value": value} for name, value in values.items()]
    return namespace, metric, dimensions, statistic, None, period
