"""How SageMaker acts as the execution roles of its resources."""

from __future__ import annotations

from typing import Any

from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.runtime import Runtime

PRINCIPAL = "sagemaker.amazonaws.com"
SESSION_NAME = "SageMaker"  # as on AWS


def assume(runtime: Runtime, role_arn: str, region: str) -> dict[str, str]:
    """Return credentials of a role. Raises RoleNotAssumable."""
    return runtime.assume(role_arn, PRINCIPAL, region, SESSION_NAME)


def client(runtime: Runtime, service: str, role_arn: str, region: str) -> Any:
    """Return a boto3 client that acts as a role. Raises RoleNotAssumable."""
    return runtime.client(service, role_arn, PRINCIPAL, region, SESSION_NAME)


def environment(runtime: Runtime, role_arn: str, region: str) -> dict[str, str]:
    """Return the environment of a process that acts as a role. Raises RoleNotAssumable."""
    return runtime.environment(role_arn, PRINCIPAL, region, SESSION_NAME)


def check_assumable(runtime: Runtime, role_arn: str, region: str) -> None:
    """Raise ValidationException with AWS's message if SageMaker may not assume the role."""
    try:
        assume(runtime, role_arn, region)
    except RoleNotAssumable as error:
        raise AWSValidationException(str(error)) from error
