"""AWS STS: changes to moto."""

from __future__ import annotations

from moto.sts import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider, Routes
from embedded_aws.services.sts.backend import EmbeddedSTSBackend
from embedded_aws.services.sts.responses import EmbeddedTokenResponse


def provider(runtime: Runtime) -> Provider:
    return Provider(
        backends=[(models.sts_backends, EmbeddedSTSBackend)],
        routes=[Routes(table=urls.url_paths, paths=list(urls.url_paths), responses=EmbeddedTokenResponse)],
    )
