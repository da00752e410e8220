"""Errors of InvokeEndpoint, and reasons why a deployment fails."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException


class ValidationError(ServiceException):
    code = "ValidationError"


class ServiceUnavailable(ServiceException):
    code = "ServiceUnavailable"


class ThrottlingException(ServiceException):
    """A serverless variant is at MaxConcurrency. HTTP 400, as in AWS's list of common errors."""

    code = "ThrottlingException"


class ModelNotReadyException(ServiceException):
    """A serverless container takes longer to start than a request may wait."""

    code = "ModelNotReadyException"


class ModelError(ServiceException):
    """The container returned an error, or no answer at all (status 0)."""

    code = "ModelError"

    def __init__(self, message: str, status: int, original: str, log_stream_arn: str):
        super().__init__(message)
        self.original_status_code = status
        self.original_message = original
        self.log_stream_arn = log_stream_arn


class DeploymentFailed(Exception):
    """A deployment cannot serve. The message becomes the endpoint's FailureReason."""


class ColdStartFailed(Exception):
    """A request started a serverless container, which did not pass its first health check."""

    def __init__(self, variant: dict[str, Any], instance_id: str):
        super().__init__(
            f"The container for variant {variant['VariantName']} did not pass the ping health check. Please check "
            "CloudWatch logs for this endpoint."
        )
        self.variant, self.instance_id = variant, instance_id
