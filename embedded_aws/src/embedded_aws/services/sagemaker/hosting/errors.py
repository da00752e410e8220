"""What the SageMaker runtime answers when there is no prediction."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class ValidationError(ServiceException):
    code = "ValidationError"


class ServiceUnavailable(ServiceException):
    code = "ServiceUnavailable"


class ThrottlingException(ServiceException):
    """A serverless variant has as many requests as it may; HTTP 400, as in AWS's list of common errors."""

    code = "ThrottlingException"


class ModelNotReadyException(ServiceException):
    """A serverless variant's process takes longer to start than a request may."""

    code = "ModelNotReadyException"


class ModelError(ServiceException):
    """The container answered with an error, or not at all (status 0)."""

    code = "ModelError"

    def __init__(self, message: str, status: int, original: str, log_stream_arn: str):
        super().__init__(message)
        self.original_status_code = status
        self.original_message = original
        self.log_stream_arn = log_stream_arn
