"""Service Quotas: changes to moto."""

from __future__ import annotations

from moto.servicequotas import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider, Routes
from embedded_aws.services.servicequotas.backend import EmbeddedServiceQuotasBackend
from embedded_aws.services.servicequotas.quotas import Quotas
from embedded_aws.services.servicequotas.responses import EmbeddedServiceQuotasResponse


def provider(runtime: Runtime) -> Provider:
    runtime.add(Quotas(runtime.home))
    return Provider(
        backends=[(models.servicequotas_backends, EmbeddedServiceQuotasBackend)],
        routes=[Routes(table=urls.url_paths, paths=["{0}/$"], responses=EmbeddedServiceQuotasResponse)],
    )
