"""What the resources of a plan cost a month for being there; what is paid by use is named, not guessed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.plan_report.resources import Resource

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HOURS = 730  # in a month, as AWS's own calculator has it
# What is paid by use, or by what is stored, by the words of AWS's price pages.
BY_USE = {
    "aws_apigatewayv2_api": "HTTP API requests",
    "aws_cloudwatch_log_group": "logs ingested and stored",
    "aws_efs_file_system": "files stored",
    "aws_flow_log": "flow logs ingested",
    "aws_lambda_function": "Lambda requests and duration",
    "aws_s3_bucket": "objects and requests in S3",
    "aws_sagemaker_domain": "Studio applications and storage",
    "aws_sns_topic": "notifications",
    "aws_sqs_queue": "queue requests",
}
# Prices of these are found by the others, or they cost nothing.
FREE = {
    "aws_apigatewayv2_integration",
    "aws_apigatewayv2_route",
    "aws_apigatewayv2_stage",
    "aws_appautoscaling_scheduled_action",
    "aws_appautoscaling_target",
    "aws_budgets_budget",
    "aws_ce_cost_allocation_tag",
    "aws_cloudwatch_composite_alarm",
    "aws_cloudwatch_event_rule",
    "aws_cloudwatch_event_target",
    "aws_cloudwatch_log_metric_filter",
    "aws_cloudwatch_log_resource_policy",
    "aws_default_security_group",
    "aws_iam_instance_profile",
    "aws_iam_openid_connect_provider",
    "aws_iam_policy",
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_kms_alias",
    "aws_lambda_alias",
    "aws_lambda_function_event_invoke_config",
    "aws_lambda_function_url",
    "aws_lambda_permission",
    "aws_launch_template",
    "aws_route_table",
    "aws_route_table_association",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_sagemaker_endpoint_configuration",
    "aws_sagemaker_model",
    "aws_sagemaker_model_package_group",
    "aws_sagemaker_notebook_instance_lifecycle_configuration",
    "aws_sagemaker_space",
    "aws_sagemaker_studio_lifecycle_config",
    "aws_sagemaker_user_profile",
    "aws_security_group",
    "aws_security_group_rule",
    "aws_sns_topic_policy",
    "aws_sns_topic_subscription",
    "aws_sqs_queue_policy",
    "aws_sqs_queue_redrive_allow_policy",
    "aws_ssm_parameter",
    "aws_subnet",
    "aws_vpc",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
    "aws_ec2_instance_connect_endpoint",
    "terraform_data",
}


@dataclass(frozen=True)
class Line:
    """What one resource costs a month, in USD. low, high: with the fewest and the most instances it may have."""

    address: str
    what: str
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """lines: of what has a fixed price. by_use: what is paid beyond it, in words. unpriced: addresses of resources
    whose price is not known here."""

    lines: tuple[Line, ...]
    by_use: tuple[str, ...]
    unpriced: tuple[str, ...]

    @property
    def low(self) -> float:
        return sum(line.low for line in self.lines)

    @property
    def high(self) -> float:
        return sum(line.high for line in self.lines)


@functools.cache
def prices() -> dict[str, Any]:
    """The price list beside this file."""
    return tomllib.loads((Path(__file__).parents[1] / "facts" / "prices.toml").read_text())


def hourly(instance_type: str) -> float | None:
    """USD an hour of an instance on demand; None where the price list lacks it."""
    return prices()["hour"].get(instance_type)


def estimate(resources: Iterable[Resource]) -> Estimate:
    """What resources cost a month for standing there, in USD."""
    found = list(resources)
    lines: list[Line] = []
    unpriced = []
    for item in found:
        try:
            lines += RULES[item.type](item, found) if item.type in RULES else ()
        except KeyError:  # a type or an instance type that the price list lacks
            unpriced.append(item.address)
        if item.type not in RULES and item.type not in BY_USE and item.type not in FREE:
            unpriced.append(item.address)
    by_use = {BY_USE[item.type] for item in found if item.type in BY_USE}
    return Estimate(tuple(lines), tuple(sorted(by_use)), tuple(unpriced))


def provisioned_concurrency(
    count: float, memory_mb: float, seconds: float, architecture: str = "x86_64"
) -> float:
    """USD for environments kept warm for so many seconds, requests not included."""
    return count * memory_mb / 1024 * seconds * prices()["gb_second"][f"lambda_provisioned_{architecture}"]


def _endpoint(item: Resource, found: list[Resource]) -> Iterator[Line]:
    """By the configuration it uses: other configurations cost nothing."""
    name = item.values.get("name")
    for config in found:
        if config.type != "aws_sagemaker_endpoint_configuration":
            continue
        if config.values.get("name") != item.values.get("endpoint_config_name"):
            continue
        for kind in ("production_variants", "shadow_production_variants"):
            for variant in config.values.get(kind) or []:
                yield _variant(item.address, name, variant, found)


def _variant(address: str, endpoint: str | None, variant: dict[str, Any], found: list[Resource]) -> Line:
    if serverless := next(iter(variant.get("serverless_config") or []), None):
        warm = serverless.get("provisioned_concurrency") or 0
        cost = (
            warm * prices()["hour"]["serverless"] * HOURS if warm else 0.0
        )  # not in the list: told as unpriced
        return Line(address, "serverless, by use", cost, cost)
    kind, count = variant["instance_type"], variant.get("initial_instance_count") or 1
    resource = f"endpoint/{endpoint}/variant/{variant.get('variant_name')}"
    low, high = next(
        (
            (target.values["min_capacity"], target.values["max_capacity"])
            for target in found
            if target.type == "aws_appautoscaling_target" and target.values.get("resource_id") == resource
        ),
        (count, count),
    )
    hour = prices()["hour"][kind] * HOURS
    told = f"{low} × {kind}" if low == high else f"{low} to {high} × {kind}"
    return Line(address, told, low * hour, high * hour)


def _function(item: Resource, found: list[Resource]) -> Iterator[Line]:
    name, count = item.values.get("function_name"), item.values["provisioned_concurrent_executions"]
    function = next(
        (f for f in found if f.type == "aws_lambda_function" and f.values.get("function_name") == name), None
    )
    memory = function.values.get("memory_size", 128) if function else 128
    architecture = next(iter((function.values.get("architectures") if function else None) or ["x86_64"]))
    cost = provisioned_concurrency(count, memory, HOURS * 3600, architecture)
    yield Line(item.address, f"{count} × {memory} MB kept warm", cost, cost)


def _scaling_policy(item: Resource, found: list[Resource]) -> Iterator[Line]:
    if item.values.get("policy_type") == "TargetTrackingScaling":
        cost = 2 * prices()["month"]["alarm"]  # one to scale out, one to scale in
        yield Line(item.address, "2 alarms of target tracking", cost, cost)


def _alarm(item: Resource, found: list[Resource]) -> Iterator[Line]:
    queries = [query for query in item.values.get("metric_query") or [] if query.get("metric")]
    periods = [
        item.values.get("period"),
        *(metric.get("period") for query in queries for metric in query["metric"]),
    ]
    fine = any(period and period < 60 for period in periods)
    cost = prices()["month"]["high_resolution_alarm" if fine else "alarm"] * max(len(queries), 1)
    yield Line(item.address, "alarm", cost, cost)


def _interface_endpoint(item: Resource, found: list[Resource]) -> Iterator[Line]:
    if item.values.get("vpc_endpoint_type") != "Interface":
        return
    # Ids of subnets that are made with it are not known at plan.
    zones = len(item.values.get("subnet_ids") or []) or sum(r.type == "aws_subnet" for r in found) or 1
    cost = zones * HOURS * prices()["hourly"]["interface_endpoint"]
    yield Line(item.address, f"interface endpoint in {zones} zones", cost, cost)


def _instance(item: Resource, found: list[Resource]) -> Iterator[Line]:
    cost = HOURS * prices()["hour"][item.values["instance_type"]]
    disks = [disk.get("volume_size") or 0 for disk in item.values.get("root_block_device") or []]
    volume = sum(disks) * prices()["month"]["ebs_gp3_gb"]
    yield Line(
        item.address,
        f"{item.values['instance_type']}, {sum(disks)} GB, if it runs all month",
        volume,
        cost + volume,
    )


def _notebook(item: Resource, found: list[Resource]) -> Iterator[Line]:
    size = item.values.get("volume_size") or 5
    volume = size * prices()["month"]["notebook_volume_gb"]
    cost = HOURS * prices()["hour"][item.values["instance_type"]]
    yield Line(
        item.address,
        f"{item.values['instance_type']}, {size} GB, if it runs all month",
        volume,
        cost + volume,
    )


def _flat(price: str, what: str) -> Callable[[Resource, list[Resource]], Iterator[Line]]:
    def rule(item: Resource, found: list[Resource]) -> Iterator[Line]:
        yield Line(item.address, what, prices()["month"][price], prices()["month"][price])

    return rule


RULES: dict[str, Callable[[Resource, list[Resource]], Iterable[Line]]] = {
    "aws_appautoscaling_policy": _scaling_policy,
    "aws_cloudwatch_dashboard": _flat("dashboard", "dashboard"),
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_instance": _instance,
    "aws_kms_key": _flat("kms_key", "key"),
    "aws_lambda_provisioned_concurrency_config": _function,
    "aws_sagemaker_endpoint": _endpoint,
    "aws_sagemaker_notebook_instance": _notebook,
    "aws_vpc_endpoint": _interface_endpoint,
}
