"""Checks the variants of an endpoint configuration: on instances or serverless, production or shadow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.sagemaker.exceptions import ValidationError

from embedded_aws.services.sagemaker.storage import has_local_storage

UNSUPPORTED = ("ExplainerConfig",)
UNSUPPORTED_OF_VARIANT = ("ManagedInstanceScaling", "InstancePools", "AcceleratorType")
MEMORY_SIZES = range(1024, 6144 + 1, 1024)  # MB
SERVERLESS_MEMBERS = {"VariantName", "ModelName", "InitialVariantWeight", "ServerlessConfig"}
# Members of a configuration and of a model that serverless inference does not support.
NOT_SERVERLESS = ("DataCaptureConfig", "AsyncInferenceConfig", "VpcConfig", "EnableNetworkIsolation")


def check(request: dict[str, Any], model: Callable[[str], dict[str, Any]]) -> None:
    """Check the variants of CreateEndpointConfig and fill in their defaults. Raises ValidationException.

    model: returns the record of a model by name; raises ValidationException.
    """
    variants, shadows = request["ProductionVariants"], request.get("ShadowProductionVariants", [])
    _refuse_unsupported(request)
    _check_combination(request)
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
    """Return every variant of a deployment: the production variants, then the shadow variants."""
    return [*deployment["Variants"], *deployment.get("ShadowVariants", [])]


def check_serverless_config(name: str, config: dict[str, Any]) -> None:
    """Raise ValidationException for an invalid ServerlessConfig whose members are each in range."""
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


def check_desired(deployment: dict[str, Any], variant: dict[str, Any], desired: dict[str, Any]) -> None:
    """Raise ValidationException for a change that UpdateEndpointWeightsAndCapacities cannot make to a variant.

    desired: an item of DesiredWeightsAndCapacities.
    """
    name, serverless = variant["VariantName"], variant.get("ServerlessConfig")
    other = "DesiredInstanceCount" if serverless else "ServerlessUpdateConfig"
    if other in desired:
        raise ValidationError(
            message=f"{other} cannot be specified for variant {name}: it "
            f"{'is serverless' if serverless else 'runs on instances'}."
        )
    if update := desired.get("ServerlessUpdateConfig"):
        check_serverless_config(name, {**(serverless or {}), **update})
    elif desired.get("DesiredInstanceCount") == 0 and not deployment["AsyncInferenceConfig"]:
        raise ValidationError(
            message="DesiredInstanceCount must be at least 1: only asynchronous endpoints have no instance."
        )


def _check_combination(request: dict[str, Any]) -> None:
    """Refuse invalid combinations of several variants, shadows, asynchronous and serverless inference."""
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
    # Terraform's provider sends EnableSSMAccess = false for every variant.
    if others := sorted(member for member in variant.keys() - SERVERLESS_MEMBERS if variant[member]):
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
                    f"variant {name} requests with ServerlessConfig."
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


def _refuse_unsupported(request: dict[str, Any]) -> None:
    missing = [member for member in UNSUPPORTED if member in request]
    for variant in [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]:
        missing += [member for member in UNSUPPORTED_OF_VARIANT if member in variant]
    if missing:
        raise ValidationError(message=f"The embedded AWS does not support {missing[0]}: leave it out.")
