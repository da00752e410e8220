"""AWS Budgets: changes to moto."""

from __future__ import annotations

from moto.budgets import urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.budgets.responses import EmbeddedBudgetsResponse
from embedded_aws.services.provider import Provider, Routes


def provider(runtime: Runtime) -> Provider:
    return Provider(
        routes=[Routes(table=urls.url_paths, paths=list(urls.url_paths), responses=EmbeddedBudgetsResponse)]
    )
