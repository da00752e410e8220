"""What the variants of a configuration may be: on instances or serverless, production or shadow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.sagemaker.exceptions import ValidationError

from embedded_aws.services.sagemaker.storage import has_local_storage

NOT_SERVED = ("ExplainerConfig",)
NOT_SERVED_OF_VARIANT = ("ManagedInstanceScaling", "InstancePools", "AcceleratorType")
MEMORY_SIZES = range(1024, 6144 + 1, 1024)  # MB
OF_SERVERLESS = {"VariantName", "ModelName", "InitialVariantWeight", "ServerlessConfig"}
# What serverless inference does not do, of a configuration and of a model.
NOT_SERVERLESS = ("DataCaptureConfig", "AsyncInferenceConfig", "VpcConfig", "EnableNetworkIsolation")


def check(request: dict[str, Any], model: Callable[[str], dict[str, Any]]) -> None:
    """Complete CreateEndpointConfig's variants. Raises ValidationException for what cannot be.

    model: the record of a model by its name; raises ValidationException.
    """
    variants, shadows = request["ProductionVariants"], request.get("ShadowProductionVariants", [])
    _refuse_what_is_not_served(request)
    _check_kinds(request)
    names = [variant["VariantName"] for variant in [*variants, *shadows]]
    if len(set(names)) < len(names):
        raise ValidationError(message=f"Production variant names must be unique: {', '.join(names)}.")
    for variant in [*variants, *shadows]:
        if "ModelName" not in variant:
            raise ValidationError(
                message=f"ModelName is required for production variant {variant['VariantName']}."
            )
        described = model(variant["ModelName"])
        if "ServerlessConfig" in variant:
            _check_serverless(variant, request, described)
        else:
            _check_instances(variant, "KmsKeyId" in request)
        variant.setdefault("InitialVariantWeight", 1.0)
    if not any(variant["InitialVariantWeight"] for variant in variants):
        raise ValidationError(message="At least one production variant must have a weight above 0.")


def of(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    """The variants of a deployment that have instances: the production ones, then the shadow."""
    return [*deployment["Variants"], *deployment.get("ShadowVariants", [])]


def check_serverless_config(name: str, config: dict[str, Any]) -> None:
    """Raises ValidationException for a ServerlessConfig that its members' own ranges let pass."""
    memory, most = config["MemorySizeInMB"], config["MaxConcurrency"]
    if memory not in MEMORY_SIZES:
        raise ValidationError(
            message=f"MemorySizeInMB {memory} of variant {name} is not valid. Valid values are in 1 GB increments: "
            f"{', '.join(f'{size} MB' for size in MEMORY_SIZES)}."
        )
    if config.get("ProvisionedConcurrency", 0) > most:
        raise ValidationError(
            message=f"ProvisionedConcurrency {config['ProvisionedConcurrency']} of variant {name} must be less than or "
            f"equal to its MaxConcurrency, {most}."
        )


def _check_kinds(request: dict[str, Any]) -> None:
    """Refuse what does not go together: several variants, shadows, asynchronous and serverless inference."""
    variants, shadows = request["ProductionVariants"], request.get("ShadowProductionVariants", [])
    if shadows and (len(variants), len(shadows)) != (1, 1):
        raise ValidationError(
            message="With ShadowProductionVariants, exactly one variant for ProductionVariants and one for "
            f"ShadowProductionVariants can be specified, not {len(variants)} and {len(shadows)}."
        )
    serverless = [v["VariantName"] for v in [*variants, *shadows] if "ServerlessConfig" in v]
    if shadows and (serverless or "AsyncInferenceConfig" in request):
        other = f"ServerlessConfig of variant {serverless[0]}" if serverless else "AsyncInferenceConfig"
        raise ValidationError(message=f"ShadowProductionVariants cannot be specified with {other}.")
    if "AsyncInferenceConfig" in request and len(variants) > 1:
        raise ValidationError(
            message=f"An endpoint with AsyncInferenceConfig has one production variant, not {len(variants)}."
        )


def _check_serverless(variant: dict[str, Any], request: dict[str, Any], model: dict[str, Any]) -> None:
    name = variant["VariantName"]
    check_serverless_config(name, variant["ServerlessConfig"])
    # Terraform's provider says EnableSSMAccess = false of every variant.
    if others := sorted(member for member in variant.keys() - OF_SERVERLESS if variant[member]):
        raise ValidationError(
            message=f"{others[0]} cannot be specified with ServerlessConfig for production variant {name}."
        )
    if len(request["ProductionVariants"]) > 1:
        raise ValidationError(
            message=f"A serverless endpoint has one production variant; {name} is one of "
            f"{len(request['ProductionVariants'])}."
        )
    for member in NOT_SERVERLESS:
        for owner, described in (
            ("endpoint configuration", request),
            (f"model {variant['ModelName']}", model),
        ):
            if described.get(member):
                raise ValidationError(
                    message=f"{member} of the {owner} is not supported for serverless inference, which production "
                    f"variant {name} asks for with ServerlessConfig."
                )


def _check_instances(variant: dict[str, Any], encrypted: bool) -> None:
    name = variant["VariantName"]
    for member in ("InstanceType", "InitialInstanceCount"):
        if member not in variant:
            raise ValidationError(message=f"{member} is required for production variant {name}.")
    kind = variant["InstanceType"]
    if encrypted and has_local_storage(kind):
        raise ValidationError(
            message=f"KmsKeyId cannot be specified for instance type {kind} of production variant {name}: it "
            "has local instance storage, which is encrypted with a hardware module on the instance."
        )


def _refuse_what_is_not_served(request: dict[str, Any]) -> None:
    missing = [member for member in NOT_SERVED if member in request]
    for variant in [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]:
        missing += [member for member in NOT_SERVED_OF_VARIANT if member in variant]
    if missing:
        raise ValidationError(
            message=f"The embedded AWS serves models on instances and serverless; it does not do {missing[0]}."
        )
