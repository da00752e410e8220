"""Endpoint configurations: immutable lists of variants."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError

from local_aws.sagemaker.hosting.models import ModelsBackend
from local_aws.sagemaker.requests import Operations, page, validated

# Families whose instances have NVMe storage of their own, encrypted by hardware.
LOCAL_STORAGE = (
    "g4dn",
    "g5",
    "g6",
    "g6e",
    "gr6",
    "p4d",
    "p4de",
    "p5",
    "p5e",
    "p5en",
    "p6-b200",
    "trn1",
    "trn1n",
)
NOT_SERVED = ("ShadowProductionVariants", "ExplainerConfig")
NOT_SERVED_OF_VARIANT = ("ServerlessConfig", "ManagedInstanceScaling", "InstancePools", "AcceleratorType")


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
        _refuse_what_is_not_served(request)
        variants = request["ProductionVariants"]
        names = [variant["VariantName"] for variant in variants]
        if len(set(names)) < len(names):
            raise ValidationError(message=f"Production variant names must be unique: {', '.join(names)}.")
        for variant in variants:
            self._check_variant(variant, "KmsKeyId" in request)
            variant.setdefault("InitialVariantWeight", 1.0)
        if not any(variant["InitialVariantWeight"] for variant in variants):
            raise ValidationError(message="At least one production variant must have a weight above 0.")
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

    def _check_variant(self, variant: dict[str, Any], encrypted: bool) -> None:
        name = variant["VariantName"]
        for member in ("ModelName", "InstanceType", "InitialInstanceCount"):
            if member not in variant:
                raise ValidationError(message=f"{member} is required for production variant {name}.")
        self.hosted_model(variant["ModelName"])
        kind = variant["InstanceType"]
        family = kind.split(".")[1]
        if encrypted and (family in LOCAL_STORAGE or family.rstrip("n").endswith("d")):
            raise ValidationError(
                message=f"KmsKeyId cannot be specified for instance type {kind} of production variant {name}: it "
                "has local instance storage, which is encrypted with a hardware module on the instance."
            )


def _refuse_what_is_not_served(request: dict[str, Any]) -> None:
    missing = [member for member in NOT_SERVED if member in request]
    for variant in request["ProductionVariants"]:
        missing += [member for member in NOT_SERVED_OF_VARIANT if member in variant]
    if missing:
        raise ValidationError(
            message=f"The embedded AWS serves instance-based endpoints; it does not do {missing[0]}."
        )


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
