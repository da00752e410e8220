"""Endpoint configurations: immutable lists of variants."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError

from embedded_aws.services.sagemaker.hosting import variants
from embedded_aws.services.sagemaker.hosting.models import ModelsBackend
from embedded_aws.services.sagemaker.requests import Operations, page, validated


class EndpointConfigsBackend(ModelsBackend):
    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.hosted_configs: dict[str, dict[str, Any]] = {}

    def hosted_config(self, name: str) -> dict[str, Any]:
        """Raises ValidationException if there is none."""
        if name not in self.hosted_configs:
            arn = self.resource_arn("endpoint-config", name)
            raise ValidationError(message=f'Could not find endpoint configuration "{arn}".')
        return self.hosted_configs[name]

    def create_hosted_config(self, request: dict[str, Any]) -> str:
        """Returns the ARN."""
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


class EndpointConfigOperations(Operations):
    def create_endpoint_config(self) -> ActionResult:
        return ActionResult(
            {"EndpointConfigArn": self.sagemaker_backend.create_hosted_config(validated(self))}
        )

    def describe_endpoint_config(self) -> ActionResult:
        return ActionResult(self.sagemaker_backend.hosted_config(validated(self)["EndpointConfigName"]))

    def list_endpoint_configs(self) -> ActionResult:
        configs = [
            {key: config[key] for key in ("EndpointConfigName", "EndpointConfigArn", "CreationTime")}
            for config in self.sagemaker_backend.hosted_configs.values()
        ]
        return ActionResult(page(configs, validated(self), "EndpointConfigs", "EndpointConfigName"))

    def delete_endpoint_config(self) -> ActionResult:
        self.sagemaker_backend.delete_hosted_config(validated(self)["EndpointConfigName"])
        return EmptyResult()
