"""Complete a CreateModelPackage request with the results of training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import model_card

APPROVED, PENDING = "Approved", "PendingManualApproval"
PROPERTY_CHARACTERS = 256  # SageMaker's limit for a metadata value
# Characters that SageMaker refuses in a metadata value. \w: letters and digits of every language, underscore.
_REFUSED = re.compile(r"[^\w .:/=+@-]")


def meets_minimum(metrics: dict[str, float], minimum: float) -> bool:
    """Return whether the accuracy on the test split reaches the minimum, 0 to 1. False without a test split."""
    accuracy = metrics.get("test:accuracy")
    return accuracy is not None and accuracy >= minimum


def with_results(
    request: dict[str, Any],
    metrics: dict[str, float],
    minimum: float,
    properties: dict[str, str],
    evaluation: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the request with an approval status, the metrics and more metadata properties.

    request: request of CreateModelPackage; it is not modified.
    metrics: name to value. `:` in a name becomes `_`.
    minimum: accuracy on the test split from which the model is approved.
    properties: run stats, such as the instance type.
    evaluation: content of the job's evaluation.json, for the model card; None if it has none.
    """
    values = {
        **request.get("CustomerMetadataProperties", {}),
        **properties,
        **{name.replace(":", "_"): str(value) for name, value in metrics.items()},
    }
    completed = dict(request)
    if "ModelCard" in request:
        completed["ModelCard"] = model_card.with_evaluation(request["ModelCard"], metrics, evaluation)
    return {
        **completed,
        "ModelApprovalStatus": APPROVED if meets_minimum(metrics, minimum) else PENDING,
        "CustomerMetadataProperties": {
            name: _REFUSED.sub(" ", value)[:PROPERTY_CHARACTERS] for name, value in values.items()
        },
    }
