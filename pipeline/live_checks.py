"""What must be true after a deployment: the live endpoint is the intended one, and it answers."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ml.jobs import job_inputs as program
from ml.jobs.follow import pauses
from ops.aws import client
from ops.errors import OperatorError
from ops.outputs import Serving
from ops.settings import Settings


def settled(settings: Settings, endpoint: str) -> dict | None:
    """DescribeEndpoint's answer once nothing is under way; None if there is no such endpoint."""
    sagemaker = client("sagemaker", settings.region)
    for _ in pauses():
        try:
            live = sagemaker.describe_endpoint(EndpointName=endpoint)
        except ClientError as error:
            if program.is_missing(error):
                return None
            raise
        if live["EndpointStatus"] not in ("Creating", "Updating", "SystemUpdating", "RollingBack"):
            return live
    raise AssertionError("pauses() never ends")


def check_convertible(settings: Settings, served: Serving) -> None:
    """Raise OperatorError if the endpoint, as it was deployed last, cannot become what the settings say.

    SageMaker makes a serverless endpoint one on instances, and converts no other.
    """
    (wanted,) = settings.serving.hosting
    if wanted == served.hosting or (served.hosting, wanted) == ("serverless", "instance"):
        return
    raise OperatorError(
        f"The endpoint {served.endpoint_name} serves as {served.hosting}, and SageMaker does not make it {wanted}: deploy "
        f"one beside it with --endpoint NAME, or first ./inv destroy{settings.flag} --stack serving."
    )


def check_image(settings: Settings, package: str) -> None:
    """Raise OperatorError if serverless inference, which has no GPU, cannot run a model package's image."""
    if not settings.serving.serverless:
        return
    described = client("sagemaker", settings.region).describe_model_package(ModelPackageName=package)
    image = described["InferenceSpecification"]["Containers"][0]["Image"]
    if image != (wanted := program.serving_image(settings)):
        raise OperatorError(
            f"Model version {described['ModelPackageVersion']} is registered with {image}, and serverless inference, which "
            f"has no GPU, takes {wanted}: serve it on instances, or register it anew with ./inv train{settings.flag} --again."
        )


def check_live(settings: Settings, intended: Serving) -> None:
    """Compare the live endpoint with the intended one.

    A rolled-back update ends InService on the *old* configuration, and Terraform calls that a success
    (terraform-provider-aws#46663): so look. Raises OperatorError naming what differs.
    """
    live = settled(settings, intended.endpoint_name)
    if live is None:
        raise OperatorError(f"The endpoint {intended.endpoint_name} does not exist: run ./inv deploy.")
    status, config = live["EndpointStatus"], live.get("EndpointConfigName")
    reason = f" ({live['FailureReason']})" if live.get("FailureReason") else ""
    if status != "InService":
        raise OperatorError(
            f"The endpoint {intended.endpoint_name} is {status}{reason}: its containers' logs are in "
            f"/aws/sagemaker/Endpoints/{intended.endpoint_name}."
        )
    if config != intended.endpoint_config_name:
        raise OperatorError(
            f"The endpoint {intended.endpoint_name} serves {config}, not {intended.endpoint_config_name}{reason}: the "
            "update was rolled back and the old model still answers. Mend the cause and deploy again, or settle on the old "
            f"one with ./inv rollback{settings.flag}."
        )
    for variant, package in _packages(settings, config).items():
        if package != (wanted := intended.variants.get(variant, "nothing")):
            raise OperatorError(
                f"Variant {variant} of the endpoint configuration {config} holds {package}, not {wanted}: it was changed "
                "outside this repository. Deploy again."
            )


def check_capacity(settings: Settings, intended: Serving) -> None:
    """Compare the scaling limits and the provisioned concurrency in force with the intended ones.

    Where a schedule says how much is kept warm, as much as it has asked for last must be.
    """
    for variant in intended.scaled_variants:
        _check_limits(settings, intended, f"endpoint/{intended.endpoint_name}/variant/{variant}")
    if not intended.provisioned_concurrency:
        return
    functions = client("lambda", settings.region)
    for _ in pauses():
        config = functions.get_provisioned_concurrency_config(
            FunctionName=intended.function_name, Qualifier=intended.provisioned_qualifier
        )
        if config["Status"] != "IN_PROGRESS":
            break
    by_schedule = intended.provisioned_qualifier == intended.function_alias
    wanted = (
        config["RequestedProvisionedConcurrentExecutions"]
        if by_schedule
        else intended.provisioned_concurrency
    )
    if config["Status"] != "READY" or config["AvailableProvisionedConcurrentExecutions"] != wanted:
        raise OperatorError(
            f"Provisioned concurrency of {intended.function_name} is {config['Status']} "
            f"({config.get('StatusReason', 'no reason given')}), not READY with {wanted}."
        )


def _check_limits(settings: Settings, intended: Serving, resource: str) -> None:
    """A schedule changes the limits at its times: then it is enough that the variant scales."""
    targets = client("application-autoscaling", settings.region).describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[resource]
    )["ScalableTargets"]
    limits = [(t["MinCapacity"], t["MaxCapacity"]) for t in targets]
    if not limits or (not intended.scheduled and limits != [(intended.min_capacity, intended.max_capacity)]):
        raise OperatorError(
            f"{resource} scales within {limits}, not {intended.min_capacity} to {intended.max_capacity}: it was changed "
            "outside this repository. Register the scalable target with these capacities, and deploy again."
        )


def _packages(settings: Settings, config: str) -> dict[str, str]:
    """The model package behind each variant of a configuration."""
    sagemaker = client("sagemaker", settings.region)
    described = sagemaker.describe_endpoint_config(EndpointConfigName=config)
    variants = [*described["ProductionVariants"], *described.get("ShadowProductionVariants", [])]
    models = {v["VariantName"]: sagemaker.describe_model(ModelName=v["ModelName"]) for v in variants}
    return {
        variant: model["PrimaryContainer"].get("ModelPackageName", "a model without a model package")
        for variant, model in models.items()
    }
