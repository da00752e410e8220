"""Refusals of what would exceed the account's quotas, with AWS's words."""

from __future__ import annotations

from collections import Counter
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.sagemaker.exceptions import SagemakerClientError

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.services.sagemaker.hosting import shifting, variants
from embedded_aws.services.servicequotas import quotas

Use = tuple[str, str]  # instance type, and what for: "training job", "spot training job" or "endpoint"


class ResourceLimitExceeded(SagemakerClientError):
    code = "ResourceLimitExceeded"


class Ec2Limit(Exception):
    """An EC2 error code and its message."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class SageMakerLimits:
    """Backend mixin, in front of the parts that start instances."""

    def start_training(self, request: dict[str, Any], *args: Any, **options: Any) -> Any:
        if request["TrainingJobName"] not in self.training_records:
            self._demand(_of_training(request))
        return super().start_training(request, *args, **options)

    def start_tuning(self, request: dict[str, Any]) -> Any:
        if request["HyperParameterTuningJobName"] not in self.tuning_records:
            parallel = request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
            wanted = _of_training(request.get("TrainingJobDefinition") or {})
            self._demand(Counter({use: count * parallel for use, count in wanted.items()}))
        return super().start_tuning(request)

    def create_hosted_endpoint(self, request: dict[str, Any]) -> str:
        config = self.hosted_configs.get(request["EndpointConfigName"])
        if config is not None and request["EndpointName"] not in self.hosted_endpoints:
            self._demand(_of_config(config))
        return super().create_hosted_endpoint(request)

    def update_hosted_endpoint(self, request: dict[str, Any]) -> str:
        config = self.hosted_configs.get(request["EndpointConfigName"])
        if config is not None:  # the new fleet, or a batch of it, runs beside the old one for a while
            wanted = _of_config(config)
            policy = request.get("DeploymentConfig", {}).get("RollingUpdatePolicy")
            if policy and shifting.rolls({"Variants": config["ProductionVariants"]}):
                size = policy["MaximumBatchSize"]
                wanted = Counter({use: shifting.batch(size, count) for use, count in wanted.items()})
            self._demand(wanted)
        return super().update_hosted_endpoint(request)

    def resize_hosted_endpoint(self, name: str, wanted: list[dict[str, Any]], *args: Any) -> str:
        endpoint = self.hosted_endpoints.get(name)
        deployed = (endpoint or {}).get("Deployed") or {"Variants": []}
        desired = {d["VariantName"]: d["DesiredInstanceCount"] for d in wanted if "DesiredInstanceCount" in d}
        more: Counter[Use] = Counter()
        for variant in variants.of(deployed):
            count = variant["DesiredInstanceCount"]
            added = desired.get(variant["VariantName"], count) - count
            if "InstanceType" in variant:  # else it is serverless
                more[variant["InstanceType"], "endpoint"] += max(0, added)
        self._demand(more)
        return super().resize_hosted_endpoint(name, wanted, *args)

    def _in_use(self) -> Counter[Use]:
        """Instances now, of everything that runs in this region."""
        used: Counter[Use] = Counter()
        for job in list(self.training_records.values()):
            if not job.ended:
                used += _of_training(job.request)
        for endpoint in list(self.hosted_endpoints.values()):
            for deployment in (endpoint["Deployed"], endpoint["Pending"]):
                used += _of_variants(variants.of(deployment or {"Variants": []}), "DesiredInstanceCount")
        return used

    def _demand(self, wanted: Counter[Use]) -> None:
        """Raises ResourceLimitExceeded if the account may not have so many more."""
        used = self._in_use()
        for (kind, purpose), count in wanted.items():
            quota = quotas.named("sagemaker", f"{kind} for {purpose} usage")
            if quota is None or not count:
                continue
            limit = quotas.value(quota)
            if used[kind, purpose] + count > limit:
                raise ResourceLimitExceeded(
                    f"The account-level service limit '{quota.name}' is {limit:g} Instances, with current utilization "
                    f"of {used[kind, purpose]} Instances and a request delta of {count} Instances. Please use AWS "
                    "Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, "
                    "contact AWS support to request an increase for this quota."
                )


def _of_training(request: dict[str, Any]) -> Counter[Use]:
    resources = request.get("ResourceConfig") or {}
    purpose = "spot training job" if request.get("EnableManagedSpotTraining") else "training job"
    kind = resources.get("InstanceType")
    return Counter({(kind, purpose): resources.get("InstanceCount", 1)} if kind else {})


def _of_config(config: dict[str, Any]) -> Counter[Use]:
    every = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
    return _of_variants(every, "InitialInstanceCount")


def _of_variants(every: list[dict[str, Any]], count: str) -> Counter[Use]:
    used: Counter[Use] = Counter()
    for variant in every:
        if "InstanceType" in variant:
            used[variant["InstanceType"], "endpoint"] += variant.get(count, 1)
    return used


def check_vcpus(call: Call) -> None:
    """Raises Ec2Limit if what a call of EC2 starts exceeds the quota of vCPUs of its family and market."""
    wanted: Counter[tuple[quotas.Quota, bool]] = Counter()
    for kind, spot in _started_by(call):
        if kind in INSTANCE_TYPES and (quota := quotas.of_instance_type(kind, spot)):
            wanted[quota, spot] += _vcpus(kind)
    for (quota, spot), vcpus in wanted.items():
        limit = quotas.value(quota)
        if _vcpus_in_use(call.region, quota) + vcpus <= limit:
            continue
        if spot:
            raise Ec2Limit("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        raise Ec2Limit(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {limit:g} allows for the instance "
            "bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )


def _started_by(call: Call) -> list[tuple[str, bool]]:
    """The instance type, and whether on Spot, of each instance that RunInstances or StartInstances starts."""
    if call.operation == "StartInstances":
        named = call.parameter("InstanceIds") or []
        return [
            (instance.instance_type, instance.lifecycle == "spot")
            for instance in ec2_backends[ACCOUNT_ID][call.region].all_instances()
            if instance.id in named and instance.state == "stopped"
        ]
    if call.operation != "RunInstances":
        return []
    kind = call.parameter("InstanceType") or _of_template(call) or ""
    spot = (call.parameter("InstanceMarketOptions") or {}).get("MarketType") == "spot"
    return [(kind, spot)] * int(call.parameter("MinCount") or 1)  # moto starts as many


def _vcpus_in_use(region: str, quota: quotas.Quota) -> int:
    return sum(
        _vcpus(instance.instance_type)
        for instance in ec2_backends[ACCOUNT_ID][region].all_instances()
        if instance.state in ("pending", "running")
        and quotas.of_instance_type(instance.instance_type, instance.lifecycle == "spot") == quota
    )


def _of_template(call: Call) -> str | None:
    """The instance type of the launch template that the call names, if moto has it."""
    named = call.parameter("LaunchTemplate") or {}
    templates = ec2_backends[ACCOUNT_ID][call.region].launch_templates
    for identity, template in templates.items():
        if named.get("LaunchTemplateId") == identity or named.get("LaunchTemplateName") == template.name:
            try:
                version = template.get_version(named.get("Version") or template.default_version_number)
            except (EC2ClientError, ValueError):  # moto refuses the call
                return None
            return version.data.get("InstanceType")
    return None


def _vcpus(kind: str) -> int:
    return INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"]
