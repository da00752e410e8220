"""API Gateway's operations on HTTP APIs: moto's responses, completed; refuses settings that have no effect here."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

from moto.apigatewayv2.exceptions import BadRequestException
from moto.apigatewayv2.models import Stage
from moto.apigatewayv2.responses import ApiGatewayV2Response
from moto.apigatewayv2.urls import url_paths
from moto.core.responses import TYPE_RESPONSE  # type: ignore[attr-defined]

from embedded_aws.services.apigatewayv2.routes import FUNCTION, ROUTE_KEY

AUTHORIZATIONS = ("NONE", "AWS_IAM")


def paths() -> list[str]:
    """Return moto's URL patterns, and those of route settings and of access log settings."""
    stage = "{0}/v2/apis/(?P<api_id>[^/]+)/stages/(?P<stage_name>[^/]+)"
    more = (f"{stage}/routesettings/(?P<route_key>.+)$", f"{stage}/accesslogsettings$")
    return [path for path in (*url_paths, *more) if path != "{0}/v2/apis/$"]


class EmbeddedApiGatewayV2Response(ApiGatewayV2Response):
    """moto's responses, with ours in front.

    They refuse settings without an effect: a route that is meant to be closed must not be open.
    """

    def create_api(self) -> TYPE_RESPONSE:
        body = json.loads(self.body)
        if body.get("protocolType") == "WEBSOCKET":
            raise NotImplementedError("WebSocket APIs: use ProtocolType HTTP")
        if body.get("target") or body.get("routeKey"):
            raise NotImplementedError("quick creation of an API: create its integration, route and stage")
        return super().create_api()

    def reimport_api(self) -> TYPE_RESPONSE:
        raise NotImplementedError("OpenAPI definitions: create integrations, routes and stages")

    # Integrations

    def create_integration(self) -> TYPE_RESPONSE:
        _check_integration(json.loads(self.body))
        return super().create_integration()

    def update_integration(self) -> TYPE_RESPONSE:
        api_id, _, integration_id = self.path.split("/")[-3:]
        integration = self.apigatewayv2_backend.get_integration(api_id, integration_id)
        _check_integration({**integration.to_json(), **json.loads(self.body)})
        return super().update_integration()

    # Routes

    def create_route(self) -> TYPE_RESPONSE:
        body = json.loads(self.body)
        _check_route(body)
        api_id, key = self.path.split("/")[-2], body["routeKey"]
        if any(route.route_key == key for route in self.apigatewayv2_backend.get_routes(api_id)):
            raise BadRequestException(f"Route with key {key} already exists for this API")
        return super().create_route()

    def update_route(self) -> TYPE_RESPONSE:
        api_id, _, route_id = self.path.split("/")[-3:]
        _check_route(
            {**self.apigatewayv2_backend.get_route(api_id, route_id).to_json(), **json.loads(self.body)}
        )
        return super().update_route()

    def create_authorizer(self) -> TYPE_RESPONSE:
        raise NotImplementedError("authorizers: a route's AuthorizationType is NONE or AWS_IAM")

    # Stages

    def create_stage(self) -> TYPE_RESPONSE:
        body = json.loads(self.body)
        _check_stage(body)
        api_id = self.path.split("/")[-2]
        if body["stageName"] in self.apigatewayv2_backend.get_api(api_id).stages:
            raise BadRequestException("Stage already exists")
        return super().create_stage()

    def update_stage(self) -> TYPE_RESPONSE:
        stage, body = self._stage(), json.loads(self.body)
        _check_stage({**stage.to_json(), **body})
        if body.get("defaultRouteSettings"):
            settings = {**stage.default_route_settings, **body.pop("defaultRouteSettings")}
            stage.default_route_settings = settings
        if "routeSettings" in body:
            stage.route_settings = {**stage.route_settings, **body.pop("routeSettings")}
        names = {
            "accessLogSettings": "access_log_settings",
            "autoDeploy": "auto_deploy",
            "clientCertificateId": "client_certificate_id",
            "description": "description",
            "stageVariables": "stage_variables",
        }
        for key in names.keys() & body.keys():
            setattr(stage, names[key], body[key])
        return 200, {}, json.dumps(stage.to_json())

    def delete_route_settings(self) -> TYPE_RESPONSE:
        self._stage().route_settings.pop(unquote(self.path.split("/routesettings/")[1]), None)
        return 204, {"status": "204"}, ""

    def delete_access_log_settings(self) -> TYPE_RESPONSE:
        self._stage().access_log_settings = None
        return 204, {"status": "204"}, ""

    def _stage(self) -> Stage:
        found = re.search(r"/apis/([^/]+)/stages/([^/]+)", self.path)
        assert found is not None
        return self.apigatewayv2_backend.get_stage(found[1], unquote(found[2]))


def _check_integration(spec: dict[str, Any]) -> None:
    """Raise NotImplementedError for an integration other than a function with payload format 2.0."""
    kind, uri = spec.get("integrationType"), spec.get("integrationUri") or ""
    if kind != "AWS_PROXY" or spec.get("integrationSubtype") or not FUNCTION.fullmatch(uri):
        raise NotImplementedError(
            f"integrations of type {kind} with {uri or spec.get('integrationSubtype')}: use AWS_PROXY with a"
            " function's ARN or invoke ARN"
        )
    if spec.get("payloadFormatVersion") is None:
        raise BadRequestException("PayloadFormatVersion is a required parameter for integration")
    if spec["payloadFormatVersion"] != "2.0":
        raise NotImplementedError(
            f"payload format {spec['payloadFormatVersion']}: set PayloadFormatVersion 2.0"
        )
    for name in ("credentialsArn", "requestParameters", "responseParameters", "tlsConfig"):
        if spec.get(name):
            raise NotImplementedError(f"{name} of an integration")
    timeout = spec.get("timeoutInMillis")
    if timeout is not None and not 50 <= int(timeout) <= 30000:
        raise BadRequestException("Timeout should be between 50 ms and 30000 ms")


def _check_route(spec: dict[str, Any]) -> None:
    """Raise BadRequestException or NotImplementedError for a route that cannot work."""
    if not ROUTE_KEY.fullmatch(spec.get("routeKey") or ""):
        raise BadRequestException(
            f"The provided route key is not formatted properly for HTTP protocol: {spec.get('routeKey')}. Format"
            ' should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
        )
    kind = spec.get("authorizationType") or "NONE"
    if kind not in AUTHORIZATIONS:
        raise NotImplementedError(f"AuthorizationType {kind}: use {' or '.join(AUTHORIZATIONS)}")
    if spec.get("requestParameters"):
        raise NotImplementedError("requestParameters of a route")


def _check_stage(spec: dict[str, Any]) -> None:
    """Raise NotImplementedError without AutoDeploy: a deployment would need copies of routes and integrations."""
    if not spec.get("autoDeploy"):
        raise NotImplementedError(
            f"stage {spec.get('stageName')} without AutoDeploy: set AutoDeploy, as there are no deployments"
        )
