"""The monthly cost of resources: list prices, a range for autoscaling, and no guesses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.facts import prices
from ops.plan_report import cost, resources
from tests.ops.plan_report.kit import plan, resource

TERRAFORM = Path(__file__).parents[3] / "terraform"


def estimate(*found: dict) -> cost.Estimate:
    """Return the cost of planned resources."""
    return cost.estimate(resources.after(plan([], list(found))))


def endpoint(variant: dict, **values) -> list[dict]:
    """Return an endpoint, its configuration and an unused configuration."""
    variants = [{"variant_name": "AllTraffic", "initial_instance_count": 1, **variant}]
    return [
        resource("aws_sagemaker_endpoint", name="e", endpoint_config_name="c", **values),
        resource("aws_sagemaker_endpoint_configuration", name="c", production_variants=variants),
        resource("aws_sagemaker_endpoint_configuration", "old", name="old", production_variants=variants),
    ]


def test_provisioned_concurrency_is_priced_per_gb_second():
    assert round(prices.provisioned_concurrency(2, 128, 31 * 86400), 2) == 2.79


def test_an_endpoint_is_priced_from_minimum_to_maximum_capacity():
    found = endpoint({"instance_type": "ml.m5.large"})
    assert round(estimate(*found).high, 2) == round(0.115 * 730, 2) == 83.95
    target = resource(
        "aws_appautoscaling_target",
        resource_id="endpoint/e/variant/AllTraffic",
        min_capacity=1,
        max_capacity=3,
    )
    scaled = estimate(*found, target)
    assert (round(scaled.low, 2), round(scaled.high, 2)) == (83.95, 251.85)
    assert scaled.lines[0].what == "1 to 3 × ml.m5.large"


def test_a_serverless_endpoint_is_billed_by_use_and_its_provisioned_concurrency_is_unpriced():
    kind = {
        "serverless_config": [{"memory_size_in_mb": 2048, "max_concurrency": 5, "provisioned_concurrency": 0}]
    }
    assert estimate(*endpoint(kind)).high == 0
    kind["serverless_config"][0]["provisioned_concurrency"] = 1
    assert estimate(*endpoint(kind)).unpriced == ("aws_sagemaker_endpoint.this",)


@pytest.mark.parametrize(
    ("found", "usd"),
    [
        ([resource("aws_kms_key")], 1.00),
        ([resource("aws_cloudwatch_dashboard")], 3.00),
        ([resource("aws_cloudwatch_metric_alarm", period=60)], 0.10),
        ([resource("aws_cloudwatch_metric_alarm", period=10)], 0.30),
        (
            [
                resource(
                    "aws_cloudwatch_metric_alarm",
                    metric_query=[{"metric": [{"period": 60}]}] * 2 + [{"expression": "a/b"}],
                )
            ],
            0.20,
        ),
        ([resource("aws_appautoscaling_policy", policy_type="TargetTrackingScaling")], 0.20),
        ([resource("aws_appautoscaling_policy", policy_type="StepScaling")], 0),
        ([resource("aws_vpc_endpoint", vpc_endpoint_type="Interface", subnet_ids=["a", "b"])], 14.60),
        ([resource("aws_vpc_endpoint", vpc_endpoint_type="Interface"), resource("aws_subnet")], 7.30),
        ([resource("aws_vpc_endpoint", vpc_endpoint_type="Gateway")], 0),
        (
            [resource("aws_instance", instance_type="t3.medium", root_block_device=[{"volume_size": 45}])],
            33.97,
        ),
        ([resource("aws_sagemaker_notebook_instance", instance_type="ml.t3.medium", volume_size=5)], 37.20),
        (
            [
                resource("aws_lambda_function", function_name="f", memory_size=128, architectures=["x86_64"]),
                resource(
                    "aws_lambda_provisioned_concurrency_config",
                    function_name="f",
                    provisioned_concurrent_executions=2,
                ),
            ],
            2.74,
        ),
    ],
    ids=lambda value: value[0]["type"] if isinstance(value, list) else None,
)
def test_prices_of_other_resources(found, usd):
    assert round(estimate(*found).high, 2) == usd
    assert not estimate(*found).unpriced


def test_a_stopped_instance_costs_its_volume():
    host = estimate(
        resource("aws_instance", instance_type="t3.medium", root_block_device=[{"volume_size": 50}])
    )
    assert round(host.low, 2) == 4.00


def test_resources_without_a_price_are_listed():
    found = estimate(resource("aws_instance", instance_type="u-24tb1.metal"), resource("aws_nat_gateway"))
    assert found.unpriced == ("aws_instance.this", "aws_nat_gateway.this")


def test_usage_is_listed_once_per_resource_type():
    found = estimate(resource("aws_s3_bucket", "a"), resource("aws_s3_bucket", "b"))
    assert found.by_use == ("objects and requests in S3",)


def test_every_resource_type_of_this_repository_has_a_price():
    types = {
        kind
        for path in TERRAFORM.rglob("*.tf")
        for kind in re.findall(r'^resource "(\w+)"', path.read_text(), re.M)
    }
    free, by_use = set(prices.prices()["free"]), set(prices.prices()["by_use"])
    assert len(types) > 20 and types - free - by_use - set(cost.RULES) == set()
    assert not free & by_use and not (free | by_use) & set(cost.RULES)
