"""Service Quotas in moto's place."""

from __future__ import annotations

from moto.servicequotas import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider, Routes
from embedded_aws.services.servicequotas.responses import (
    LocalServiceQuotasBackend,
    LocalServiceQuotasResponse,
)


def provider(runtime: Runtime) -> Provider:
    return Provider(
        backends=[(models.servicequotas_backends, LocalServiceQuotasBackend)],
        routes=[Routes(table=urls.url_paths, paths=["{0}/$"], responses=LocalServiceQuotasResponse)],
    )
