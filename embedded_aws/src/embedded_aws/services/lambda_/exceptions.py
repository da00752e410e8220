"""Lambda's errors, with AWS's codes and messages."""

import json

from moto.awslambda.exceptions import LambdaClientError


class TooManyRequestsException(LambdaClientError):
    """The invocation is throttled."""

    code = 429

    def __init__(self, reason: str) -> None:
        """reason: a ThrottleReason of the API."""
        super().__init__("TooManyRequestsException", "Rate Exceeded.")
        self.reason = reason
        self.description = json.dumps(
            {"__type": self.error_type, "Type": "User", "message": self.message, "Reason": reason}
        )


class RequestTooLargeException(LambdaClientError):
    """The payload is too large."""

    code = 413

    def __init__(self, size: int, invocation_type: str, limit: int) -> None:
        super().__init__(
            "RequestTooLargeException",
            f"{size} byte payload is too large for the {invocation_type} invocation type (limit {limit} bytes)",
        )


class InvalidRequestContentException(LambdaClientError):
    """The payload or the client context is not valid JSON."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("InvalidRequestContentException", message)


class ResourceConflictException(LambdaClientError):
    """The resource exists, or others refer to it."""

    code = 409

    def __init__(self, message: str) -> None:
        super().__init__("ResourceConflictException", message)


class ResourceNotFoundException(LambdaClientError):
    """The resource does not exist."""

    code = 404

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFoundException", message)


class ProvisionedConcurrencyConfigNotFoundException(LambdaClientError):
    """The version or alias has no provisioned concurrency."""

    code = 404

    def __init__(self) -> None:
        super().__init__(
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )


class PreconditionFailedException(LambdaClientError):
    """The request has an old RevisionId."""

    code = 412

    def __init__(self) -> None:
        super().__init__(
            "PreconditionFailedException",
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API"
            " to retrieve the latest RevisionId for your function/alias.",
        )


class RoleCannotBeAssumed(LambdaClientError):
    """Lambda may not assume the role of the function."""

    code = 403

    def __init__(self) -> None:
        super().__init__(
            "AccessDeniedException", "The role defined for the function cannot be assumed by Lambda."
        )
