"""Operations that need an extra of the package: refused if it is not installed."""

from __future__ import annotations

import json
from typing import Any

from moto.core.responses import ActionResult
from moto.sagemaker.exceptions import ValidationError

from embedded_aws.extras import missing
from embedded_aws.services.sagemaker.requests import Response


class OptionalResponse(Response):
    """Checks extras before the operations that start containers and notebooks."""

    def create_training_job(self) -> ActionResult:
        if not _has_entrypoint(self.body):
            _require("sagemaker")
        return super().create_training_job()

    def create_hyper_parameter_tuning_job(self) -> ActionResult:
        if not _has_entrypoint(self.body, "TrainingJobDefinition"):
            _require("sagemaker")
        return super().create_hyper_parameter_tuning_job()

    def create_endpoint(self) -> ActionResult:
        _require("sagemaker")
        return super().create_endpoint()

    def create_notebook_instance(self) -> ActionResult:
        _require("notebooks")
        return super().create_notebook_instance()

    def create_app(self) -> ActionResult:
        _require("notebooks")
        response: ActionResult = super().create_app()  # type: ignore[misc]
        return response


def _has_entrypoint(body: str, *parents: str) -> bool:
    """Report whether a job brings its own command: it does not need AWS's training toolkit.

    body: the request, not validated yet: the operation refuses a malformed one.
    parents: members that lead to the job's definition.
    """
    found: Any = json.loads(body or "{}")
    for member in (*parents, "AlgorithmSpecification", "ContainerEntrypoint"):
        found = found.get(member) if isinstance(found, dict) else None
    return bool(found)


def _require(extra: str) -> None:
    sentence = missing(extra)
    if sentence:
        raise ValidationError(message=sentence)
