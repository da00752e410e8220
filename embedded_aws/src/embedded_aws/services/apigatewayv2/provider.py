"""Puts Amazon API Gateway's HTTP APIs in moto's place."""

from __future__ import annotations

from moto.apigatewayv2 import urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.apigatewayv2.responses import EmbeddedApiGatewayV2Response, paths
from embedded_aws.services.apigatewayv2.routes import Throttle
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    """Return the changes to moto's API Gateway."""
    runtime.add(Throttle())
    return Provider(
        routes=[Routes(table=urls.url_paths, paths=paths(), responses=EmbeddedApiGatewayV2Response)]
    )
