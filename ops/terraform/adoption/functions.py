"""How the function, its alias, its access and the scaling of variants and functions are found."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ops.terraform.adoption.rules import (
    Account,
    ByName,
    Condition,
    Found,
    Listed,
    Recreated,
    Rule,
    Values,
    ask,
    known,
)

_ABSENT = "ResourceNotFoundException"


def _function(account: Account, values: Values) -> Found | None:
    name = values["function_name"]
    reply = ask(account.client("lambda").get_function, _ABSENT, FunctionName=name)
    if reply is None:
        return None
    conditions = {"Pending": Condition.CHANGING, "Failed": Condition.FAILED}
    condition = conditions.get(reply["Configuration"].get("State", ""), Condition.READY)
    return Found(name, tags=reply.get("Tags", {}), condition=condition)


def _alias(account: Account, values: Values) -> Found | None:
    function, name = values["function_name"], values["name"]
    reply = ask(account.client("lambda").get_alias, _ABSENT, FunctionName=function, Name=name)
    return reply and Found(f"{function}/{name}")


def _function_url(account: Account, values: Values) -> Found | None:
    request = {"FunctionName": values["function_name"], "Qualifier": values["qualifier"]}
    reply = ask(account.client("lambda").get_function_url_config, _ABSENT, **request)
    return reply and Found("/".join(request.values()))


def _permission(account: Account, values: Values) -> Found | None:
    function, qualifier, sid = values["function_name"], values["qualifier"], values["statement_id"]
    reply = ask(account.client("lambda").get_policy, _ABSENT, FunctionName=function, Qualifier=qualifier)
    statements = json.loads(reply["Policy"])["Statement"] if reply else []
    if any(statement.get("Sid") == sid for statement in statements):
        return Found(f"{function}:{qualifier}/{sid}")
    return None


def _provisioned_concurrency(account: Account, values: Values) -> Found | None:
    """Return the provisioned concurrency.

    Its version is not known while the function is imported. It is created again then: PutProvisionedConcurrencyConfig
    sets the number of a version that has one.
    """
    if not known(values, "qualifier"):
        return None
    function, qualifier = values["function_name"], values["qualifier"]
    reply = ask(
        account.client("lambda").get_provisioned_concurrency_config,
        _ABSENT,
        "ProvisionedConcurrencyConfigNotFoundException",
        FunctionName=function,
        Qualifier=qualifier,
    )
    if reply is None or reply["Status"] == "FAILED":
        return None
    changing = reply["Status"] == "IN_PROGRESS"
    return Found(f"{function},{qualifier}", condition=Condition.CHANGING if changing else Condition.READY)


# ---- HTTP API ----


def _apis(account: Account) -> list[Mapping[str, Any]]:
    pages = account.client("apigatewayv2").get_paginator("get_apis").paginate()
    return [api for page in pages for api in page["Items"] if account.owns(api.get("Tags", {}))]


def _integration(account: Account, values: Values) -> Found | None:
    """Return the API's integration: it has one."""
    return _part(account, values, "get_integrations", "IntegrationId")


def _route(account: Account, values: Values) -> Found | None:
    return _part(account, values, "get_routes", "RouteId", RouteKey=values["route_key"])


def _stage(account: Account, values: Values) -> Found | None:
    return _part(account, values, "get_stages", "StageName", StageName=values["name"])


def _part(account: Account, values: Values, operation: str, id_key: str, **same: str) -> Found | None:
    """Return the first part of an API that has the same values."""
    if not known(values, "api_id"):
        return None
    parts = getattr(account.client("apigatewayv2"), operation)(ApiId=values["api_id"])["Items"]
    ids = (part[id_key] for part in parts if all(part.get(key) == value for key, value in same.items()))
    return next((Found(f"{values['api_id']}/{part_id}") for part_id in ids), None)


# ---- scaling ----


def _scalable_target(account: Account, values: Values) -> Found | None:
    if not known(values, "resource_id"):
        return None
    namespace, resource = values["service_namespace"], values["resource_id"]
    dimension = values["scalable_dimension"]
    targets = account.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace=namespace, ResourceIds=[resource], ScalableDimension=dimension
    )["ScalableTargets"]
    return Found(f"{namespace}/{resource}/{dimension}") if targets else None


RULES: dict[str, Rule] = {
    "aws_apigatewayv2_api": Listed(
        _apis, lambda api, values: api["Name"] == values["name"], lambda api: Found(api["ApiId"], api["Name"])
    ),
    "aws_apigatewayv2_integration": ByName(_integration),
    "aws_apigatewayv2_route": ByName(_route),
    "aws_apigatewayv2_stage": ByName(_stage),
    "aws_appautoscaling_policy": Recreated("PutScalingPolicy replaces the target's policy of that name"),
    "aws_appautoscaling_scheduled_action": Recreated(
        "the provider cannot import it, and PutScheduledAction replaces the target's action of that name"
    ),
    "aws_appautoscaling_target": ByName(_scalable_target),
    "aws_lambda_alias": ByName(_alias),
    "aws_lambda_function": ByName(_function),
    "aws_lambda_function_url": ByName(_function_url),
    "aws_lambda_permission": ByName(_permission),
    "aws_lambda_provisioned_concurrency_config": ByName(_provisioned_concurrency),
}
