"""Puts AWS Lambda in moto's place."""

from __future__ import annotations

from moto.awslambda import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_.backend import EmbeddedLambdaBackend
from embedded_aws.services.lambda_.responses import EmbeddedLambdaResponse, paths
from embedded_aws.services.lambda_.service import LambdaService
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    """Return the changes to moto's Lambda."""
    service = LambdaService(runtime)
    runtime.add(service)
    return Provider(
        backends=[(models.lambda_backends, EmbeddedLambdaBackend)],
        routes=[
            Routes(table=urls.url_paths, paths=[*urls.url_paths, *paths()], responses=EmbeddedLambdaResponse)
        ],
        on_start=[service.start],
        on_stop=[service.stop],
    )
