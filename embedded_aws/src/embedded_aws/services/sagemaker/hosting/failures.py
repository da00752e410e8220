"""What does not come up, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedded_aws.services.sagemaker.hosting.instances import Instance


class DeploymentFailed(Exception):
    """The message is the endpoint's FailureReason."""


class StartFailed(Exception):
    """A request started a serverless variant's process, which did not pass its first health check."""

    def __init__(self, variant: dict[str, Any], instance: Instance):
        super().__init__(
            f"The container for variant {variant['VariantName']} did not pass the ping health check. Please check "
            "CloudWatch logs for this endpoint."
        )
        self.variant, self.instance = variant, instance
