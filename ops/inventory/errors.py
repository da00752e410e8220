"""What AWS's errors mean while resources are deleted."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ops.aws import error_code, is_missing

_IN_USE = (
    "ConflictException",
    "DeleteConflict",
    "DependencyViolation",
    "FileSystemInUse",
    "IncorrectInstanceState",
    "InvalidIPAddress.InUse",
    "InvalidNetworkInterface.InUse",
    "InvalidParameterValue",  # a network interface that is being detached
    "InvalidSnapshot.InUse",
    "OperationAborted",
    "OperationNotPermitted",  # an interface of a resource that is being deleted
    "ResourceInUse",
    "ResourceInUseException",
    "VolumeInUse",
)


def is_gone(error: ClientError) -> bool:
    """Return whether an error says that the resource no longer exists."""
    code = error_code(error)
    named = code in ("NoSuchEntity", "NoSuchBucket") or "NotFound" in code or "NonExistent" in code
    return named or is_missing(error)


def is_in_use(error: ClientError) -> bool:
    """Return whether an error may end by itself: another resource uses this one, or it is being changed."""
    return error_code(error) in _IN_USE or error_code(error) == "ValidationException"
