"""Resource Groups Tagging API: changes to moto."""

from __future__ import annotations

from moto.resourcegroupstaggingapi import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.provider import Provider, Routes
from embedded_aws.services.resourcegroupstaggingapi.backend import EmbeddedTaggingBackend
from embedded_aws.services.resourcegroupstaggingapi.responses import EmbeddedTaggingResponse


def provider(runtime: Runtime) -> Provider:
    return Provider(
        backends=[(models.resourcegroupstaggingapi_backends, EmbeddedTaggingBackend)],
        routes=[Routes(table=urls.url_paths, paths=list(urls.url_paths), responses=EmbeddedTaggingResponse)],
    )
