"""A model version in the registry: what of its request only the trained model tells."""

from __future__ import annotations

import re
from typing import Any

APPROVED, PENDING = "Approved", "PendingManualApproval"
LONGEST = 256  # characters of a property's value
# What SageMaker refuses in one; \w are letters and digits of every language, and the underscore.
_REFUSED = re.compile(r"[^\w .:/=+@-]")


def is_good(metrics: dict[str, float], minimum: float) -> bool:
    """Whether a model may serve: its accuracy on the test split reaches the minimum, 0 to 1."""
    accuracy = metrics.get("test:accuracy")
    return accuracy is not None and accuracy >= minimum


def with_results(
    request: dict[str, Any], metrics: dict[str, float], minimum: float, properties: dict[str, str]
) -> dict[str, Any]:
    """CreateModelPackage's request with approval by accuracy, metrics and further properties, such as what it took."""
    told = {**properties, **{name.replace(":", "_"): str(value) for name, value in metrics.items()}}
    return {
        **request,
        "ModelApprovalStatus": APPROVED if is_good(metrics, minimum) else PENDING,
        "CustomerMetadataProperties": {
            name: _REFUSED.sub(" ", value)[:LONGEST]
            for name, value in {**request.get("CustomerMetadataProperties", {}), **told}.items()
        },
    }
