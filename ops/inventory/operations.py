"""Kinds of functions, APIs, scaling, monitoring and messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ops.aws import tag_dict
from ops.inventory import prices
from ops.inventory.model import Kind, Place, Resource, pages


def _listed(
    service: str, operation: str, items: str, name: str, arn: str, **arguments: Any
) -> Callable[[Place], Iterator[Resource]]:
    """Return a function that lists items with the fields `name` and `arn`."""

    def listing(place: Place) -> Iterator[Resource]:
        for item in pages(place.client(service), operation, items, **arguments):
            yield Resource(item[name], item[arn].removesuffix(":*"), item[name], data=item)

    return listing


def _functions(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("lambda"), "list_functions", "Functions"):
        yield Resource(item["FunctionName"], item["FunctionArn"], item["FunctionName"], data=item)


def _function(place: Place, function: Resource) -> Resource:
    """Price the provisioned concurrency of a function: the rest is billed by use."""
    configs = pages(
        place.client("lambda"),
        "list_provisioned_concurrency_configs",
        "ProvisionedConcurrencyConfigs",
        FunctionName=function.id,
    )
    count = sum(config["RequestedProvisionedConcurrentExecutions"] for config in configs)
    architecture = next(iter(function.data.get("Architectures") or ["x86_64"]))
    return replace(
        function, monthly=prices.concurrency(count, function.data.get("MemorySize", 128), architecture)
    )


def _targets(place: Place) -> Iterator[Resource]:
    """List scalable targets of both namespaces. Policies and scheduled actions are part of their target."""
    for namespace in ("sagemaker", "lambda"):
        for item in pages(
            place.client("application-autoscaling"),
            "describe_scalable_targets",
            "ScalableTargets",
            ServiceNamespace=namespace,
        ):
            yield Resource(
                item["ResourceId"],
                item.get("ScalableTargetARN", ""),
                item["ResourceId"],
                data={"ServiceNamespace": namespace, "ScalableDimension": item["ScalableDimension"]},
            )


def _deregister(place: Place, target: Resource) -> None:
    place.client("application-autoscaling").deregister_scalable_target(ResourceId=target.id, **target.data)


def _apis(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("apigatewayv2"), "get_apis", "Items"):
        arn = f"arn:{place.env.partition}:apigateway:{place.region}::/apis/{item['ApiId']}"
        yield Resource(f"{item['Name']} {item['ApiId']}", arn, item["ApiId"], item.get("Tags") or {})


def _alarms(place: Place) -> Iterator[Resource]:
    client, types = place.client("cloudwatch"), ["CompositeAlarm", "MetricAlarm"]
    for page in client.get_paginator("describe_alarms").paginate(AlarmTypes=types):
        for kind in ("CompositeAlarms", "MetricAlarms"):
            for item in page.get(kind) or []:
                metrics = [query for query in item.get("Metrics") or [] if query.get("MetricStat")]
                periods = [item.get("Period") or 60, *(query["MetricStat"]["Period"] for query in metrics)]
                price = prices.flat("high_resolution_alarm" if min(periods) < 60 else "alarm")
                yield Resource(
                    item["AlarmName"],
                    item["AlarmArn"],
                    item["AlarmName"],
                    monthly=price * max(len(metrics), 1),
                )


def _dashboards(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("cloudwatch"), "list_dashboards", "DashboardEntries"):
        arn = (
            f"arn:{place.env.partition}:cloudwatch::{place.env.account_id}:dashboard/{item['DashboardName']}"
        )
        yield Resource(item["DashboardName"], arn, item["DashboardName"], monthly=prices.flat("dashboard"))


def _topics(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("sns"), "list_topics", "Topics"):
        yield Resource(item["TopicArn"].rpartition(":")[2], item["TopicArn"], item["TopicArn"])


def _queues(place: Place) -> Iterator[Resource]:
    for url in pages(place.client("sqs"), "list_queues", "QueueUrls"):
        name = url.rpartition("/")[2]
        yield Resource(name, place.arn("sqs", name), url)


def _delete_rule(place: Place, rule: Resource) -> None:
    events, bus = place.client("events"), rule.data.get("EventBusName") or "default"
    found = pages(events, "list_targets_by_rule", "Targets", Rule=rule.id, EventBusName=bus)
    if ids := [target["Id"] for target in found]:
        events.remove_targets(Rule=rule.id, EventBusName=bus, Ids=ids)
    events.delete_rule(Name=rule.id, EventBusName=bus)


def _rule(place: Place, rule: Resource) -> Resource | None:
    """Leave out rules of AWS's services, which only these change."""
    return None if rule.data.get("ManagedBy") else rule


def _delete_schedule(place: Place, schedule: Resource) -> None:
    group = schedule.data.get("GroupName") or "default"
    place.client("scheduler").delete_schedule(Name=schedule.id, GroupName=group)


def _budgets(place: Place) -> Iterator[Resource]:
    """List budgets with their tags: they are few."""
    client, account = place.client("budgets"), place.env.account_id
    for item in pages(client, "describe_budgets", "Budgets", AccountId=account):
        name = item["BudgetName"]
        arn = f"arn:{place.env.partition}:budgets::{account}:budget/{name}"
        tags = client.list_tags_for_resource(ResourceARN=arn).get("ResourceTags")
        yield Resource(name, arn, name, tag_dict(tags))


def _delete_budget(place: Place, budget: Resource) -> None:
    place.client("budgets").delete_budget(AccountId=place.env.account_id, BudgetName=budget.id)


def _by(
    service: str, operation: str, parameter: str, many: bool = False
) -> Callable[[Place, Resource], object]:
    """Return a function that deletes by one parameter. many: it is a list."""
    return lambda place, item: getattr(place.client(service), operation)(
        **{parameter: [item.id] if many else item.id}
    )


SCALING = (
    Kind(
        "scalable target",
        ("aws_appautoscaling_target",),
        ("application-autoscaling:scalable-target/",),
        _targets,
        _deregister,
    ),
)
"""What changes the capacity of functions and endpoints: deleted before them."""

KINDS = (
    Kind(
        "API",
        ("aws_apigatewayv2_api",),
        ("apigateway:/apis/",),
        _apis,
        _by("apigatewayv2", "delete_api", "ApiId"),
    ),
    Kind(
        "function",
        ("aws_lambda_function",),
        ("lambda:function:",),
        _functions,
        _by("lambda", "delete_function", "FunctionName"),
        _function,
    ),
    Kind(
        "alarm",
        ("aws_cloudwatch_metric_alarm",),
        ("cloudwatch:alarm:",),
        _alarms,
        _by("cloudwatch", "delete_alarms", "AlarmNames", many=True),
    ),
    Kind(
        "dashboard",
        ("aws_cloudwatch_dashboard",),
        ("cloudwatch:dashboard/",),
        _dashboards,
        _by("cloudwatch", "delete_dashboards", "DashboardNames", many=True),
    ),
    Kind(
        "EventBridge rule",
        ("aws_cloudwatch_event_rule",),
        ("events:rule/",),
        _listed("events", "list_rules", "Rules", "Name", "Arn"),
        _delete_rule,
        _rule,
    ),
    Kind(
        "schedule",
        (),
        ("scheduler:schedule/",),
        _listed("scheduler", "list_schedules", "Schedules", "Name", "Arn"),
        _delete_schedule,
    ),
    Kind(
        "topic",
        ("aws_sns_topic",),
        ("sns:",),
        _topics,
        _by("sns", "delete_topic", "TopicArn"),
    ),
    Kind(
        "queue",
        ("aws_sqs_queue",),
        ("sqs:",),
        _queues,
        _by("sqs", "delete_queue", "QueueUrl"),
        holds_data=True,
    ),
    Kind(
        "budget",
        ("aws_budgets_budget",),
        ("budgets:budget/",),
        _budgets,
        _delete_budget,
        is_global=True,
    ),
)
"""In the order of their deletion."""
