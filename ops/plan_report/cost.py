"""Estimate the fixed monthly cost of the resources in a plan. What is billed by use is listed without an amount."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ops.facts.prices import HOURS, prices, provisioned_concurrency
from ops.plan_report.resources import Resource


@dataclass(frozen=True)
class Line:
    """Monthly cost of a resource in USD.

    low, high: cost at minimum and maximum capacity.
    """

    address: str
    what: str
    low: float
    high: float


@dataclass(frozen=True)
class Estimate:
    """Monthly cost of resources.

    lines: resources with a fixed price.
    by_use: what is billed by use.
    unpriced: addresses of resources without a known price.
    """

    lines: tuple[Line, ...]
    by_use: tuple[str, ...]
    unpriced: tuple[str, ...]

    @property
    def low(self) -> float:
        """Cost at minimum capacity in USD."""
        return sum(line.low for line in self.lines)

    @property
    def high(self) -> float:
        """Cost at maximum capacity in USD."""
        return sum(line.high for line in self.lines)


def estimate(resources: Iterable[Resource]) -> Estimate:
    """Return the fixed monthly cost of resources."""
    found = list(resources)
    listed, by_use = prices(), set()
    lines: list[Line] = []
    unpriced = []
    for item in found:
        if item.type in RULES:
            try:
                lines += RULES[item.type](item, found)
            except KeyError:  # the price list lacks the instance type
                unpriced.append(item.address)
        elif item.type in listed["by_use"]:
            by_use.add(listed["by_use"][item.type])
        elif item.type not in listed["free"]:
            unpriced.append(item.address)
    return Estimate(tuple(lines), tuple(sorted(by_use)), tuple(unpriced))


def _endpoint(item: Resource, found: list[Resource]) -> Iterator[Line]:
    """Price the configuration that the endpoint uses. Other configurations cost nothing."""
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
        if serverless.get("provisioned_concurrency"):
            raise KeyError("no price of provisioned concurrency")
        return Line(address, "serverless, by use", 0.0, 0.0)
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
    what = f"{low} × {kind}" if low == high else f"{low} to {high} × {kind}"
    return Line(address, what, low * hour, high * hour)


def _function(item: Resource, found: list[Resource]) -> Iterator[Line]:
    name, count = item.values.get("function_name"), item.values["provisioned_concurrent_executions"]
    function = next(
        (f for f in found if f.type == "aws_lambda_function" and f.values.get("function_name") == name), None
    )
    memory = function.values.get("memory_size", 128) if function else 128
    architecture = next(iter((function.values.get("architectures") if function else None) or ["x86_64"]))
    cost = provisioned_concurrency(count, memory, HOURS * 3600, architecture)
    yield Line(item.address, f"{count} × {memory} MB provisioned concurrency", cost, cost)


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
    high_resolution = any(period and period < 60 for period in periods)
    cost = prices()["month"]["high_resolution_alarm" if high_resolution else "alarm"] * max(len(queries), 1)
    yield Line(item.address, "alarm", cost, cost)


def _interface_endpoint(item: Resource, found: list[Resource]) -> Iterator[Line]:
    if item.values.get("vpc_endpoint_type") != "Interface":
        return
    # The IDs of new subnets are unknown at plan time.
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
