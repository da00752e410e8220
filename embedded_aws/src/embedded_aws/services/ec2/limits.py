"""vCPU quotas of EC2: refuses instances that exceed them, with AWS's errors."""

from __future__ import annotations

from collections import Counter

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.services.servicequotas import quotas
from embedded_aws.services.servicequotas.quotas import Quotas


class LimitExceeded(Exception):
    """An EC2 error: its code and message."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


def check_vcpus(call: Call, account: Quotas) -> None:
    """Raise LimitExceeded if the instances that a call starts exceed the vCPU quota of their family and market."""
    wanted: Counter[tuple[quotas.Quota, bool]] = Counter()
    for kind, spot in _started_by(call):
        if kind in INSTANCE_TYPES and (quota := quotas.of_instance_type(kind, spot)):
            wanted[quota, spot] += _vcpus(kind)
    for (quota, spot), vcpus in wanted.items():
        limit = account.value(quota)
        if _vcpus_in_use(call.region, quota) + vcpus <= limit:
            continue
        if spot:
            raise LimitExceeded("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
        raise LimitExceeded(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {limit:g} allows for the instance "
            "bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )


def _started_by(call: Call) -> list[tuple[str, bool]]:
    """Return instance type and whether on Spot for each instance that RunInstances or StartInstances starts."""
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
    return [(kind, spot)] * int(call.parameter("MinCount") or 1)  # moto starts MinCount instances


def _vcpus_in_use(region: str, quota: quotas.Quota) -> int:
    return sum(
        _vcpus(instance.instance_type)
        for instance in ec2_backends[ACCOUNT_ID][region].all_instances()
        if instance.state in ("pending", "running")
        and quotas.of_instance_type(instance.instance_type, instance.lifecycle == "spot") == quota
    )


def _of_template(call: Call) -> str | None:
    """Return the instance type of the call's launch template, if moto has that template."""
    named = call.parameter("LaunchTemplate") or {}
    templates = ec2_backends[ACCOUNT_ID][call.region].launch_templates
    for identity, template in templates.items():
        if named.get("LaunchTemplateId") == identity or named.get("LaunchTemplateName") == template.name:
            try:
                version = template.get_version(named.get("Version") or template.default_version_number)
            except (EC2ClientError, ValueError):  # moto will refuse the call
                return None
            return version.data.get("InstanceType")
    return None


def _vcpus(kind: str) -> int:
    return INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"]  # type: ignore[no-any-return]
