"""Records of endpoint configurations."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from moto.sagemaker.exceptions import ValidationError

from embedded_aws.services.sagemaker.hosting import variants
from embedded_aws.services.sagemaker.hosting.models import ModelsBackend


class EndpointConfigsBackend(ModelsBackend):
    """Endpoint configurations by name. They never change."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.hosted_configs: dict[str, dict[str, Any]] = {}

    def hosted_config(self, name: str) -> dict[str, Any]:
        """Return the record of a configuration. Raises ValidationException if there is none."""
        if name not in self.hosted_configs:
            arn = self.resource_arn("endpoint-config", name)
            raise ValidationError(message=f'Could not find endpoint configuration "{arn}".')
        return self.hosted_configs[name]

    def create_hosted_config(self, request: dict[str, Any]) -> str:
        """Create a configuration and return its ARN."""
        tags = request.pop("Tags", None)
        name = request["EndpointConfigName"]
        arn = self.resource_arn("endpoint-config", name)
        if name in self.hosted_configs:
            raise ValidationError(message=f'Cannot create already existing endpoint configuration "{arn}".')
        variants.check(request, self.hosted_model)
        self.keep_tags(arn, tags)
        self.hosted_configs[name] = {
            **request,
            "EndpointConfigArn": arn,
            "CreationTime": datetime.now(timezone.utc),
        }
        return arn

    def delete_hosted_config(self, name: str) -> None:
        arn = self.hosted_config(name)["EndpointConfigArn"]
        del self.hosted_configs[name]
        self.forget_tags(arn)
