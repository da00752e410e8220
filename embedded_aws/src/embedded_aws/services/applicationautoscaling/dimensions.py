"""The scalable dimensions whose capacity changes here. Those of other services are recorded only."""

from __future__ import annotations

from embedded_aws.runtime import Runtime
from embedded_aws.services.applicationautoscaling.dimension import Dimension
from embedded_aws.services.applicationautoscaling.endpoint_variants import VariantInstances
from embedded_aws.services.applicationautoscaling.provisioned_concurrency import ProvisionedConcurrency

KINDS: dict[str, type[Dimension]] = {kind.name: kind for kind in (VariantInstances, ProvisionedConcurrency)}


def dimension_of(runtime: Runtime, account: str, region: str, name: str) -> Dimension | None:
    """Return a scalable dimension by its name; None for one of another service."""
    return KINDS[name](runtime, account, region) if name in KINDS else None
