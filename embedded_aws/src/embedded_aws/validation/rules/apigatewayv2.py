"""Rules of API Gateway's HTTP APIs. Settings without effect here are refused by `services.apigatewayv2`."""

from __future__ import annotations

from moto.apigatewayv2.models import apigatewayv2_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.validation.table import Rule, longest, pattern

API = "Amazon API Gateway Version 2 API Reference, "
MAX_NAME = 128
# With and without braces: Terraform's default is the latter.
ROUTE_SELECTIONS = ("${request.method} ${request.path}", "$request.method $request.path")
_STAGE = r"\$default|[a-zA-Z0-9_-]{1,128}"


def _route_selection(call: Call) -> str | None:
    selection = call.parameter("RouteSelectionExpression")
    if call.parameter("ProtocolType") != "HTTP" or selection in (None, *ROUTE_SELECTIONS):
        return None
    return "RouteSelectionExpression for HTTP protocol should be ${request.method} ${request.path}"


def _target(call: Call) -> str | None:
    name = (call.parameter("Target") or "").removeprefix("integrations/")
    api = apigatewayv2_backends[ACCOUNT_ID][call.region].apis.get(call.parameters["ApiId"])
    if not name or api is None or name in api.integrations:
        return None
    return f"Invalid Integration identifier specified {name}"


RULES: tuple[Rule, ...] = (
    Rule(
        ("CreateApi", "UpdateApi"),
        longest("Name", MAX_NAME, "Invalid API name. It must have at most 128 characters."),
        "BadRequestException",
        API + "StringWithLengthBetween1And128",
    ),
    Rule(
        ("CreateApi",), _route_selection, "BadRequestException", API + "CreateApi: routeSelectionExpression"
    ),
    Rule(
        ("CreateStage",),
        pattern("StageName", _STAGE, "Stage name only allows a-zA-Z0-9_- and $default: {value}"),
        "BadRequestException",
        API + "CreateStage: stageName",
    ),
    Rule(("CreateRoute", "UpdateRoute"), _target, "NotFoundException", API + "CreateRoute: target", 404),
)
