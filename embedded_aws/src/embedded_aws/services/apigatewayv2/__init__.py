"""API Gateway of the embedded AWS: HTTP APIs that call functions."""

from embedded_aws.runtime import Runtime


def install(current: Runtime) -> None:
    """Put our API Gateway in moto's place, before its first request."""
    from moto.apigateway import urls as shared
    from moto.apigatewayv2 import urls

    from embedded_aws.services.apigatewayv2.responses import LocalApiGatewayV2Response, paths

    for path in paths():
        for table in (urls.url_paths, shared.url_paths):  # moto serves both versions at one host name
            table[path] = LocalApiGatewayV2Response.dispatch
