"""What must be true after a deployment: the live endpoint is the intended one, and it answers."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ml.jobs import program
from ml.jobs.follow import pauses
from ml.jobs.handover import Serving
from ops.aws import client
from ops.errors import OperatorError
from ops.settings import Settings


def check_live(settings: Settings, intended: Serving) -> None:
    """Compare the live endpoint with the intended one.

    A rolled-back update ends InService on the *old* configuration, and Terraform calls that a success
    (terraform-provider-aws#46663): so look. Raises OperatorError naming what differs.
    """
    live = _settled(settings, intended.endpoint_name)
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
            "update was rolled back and the old model still answers. Mend the cause and deploy again."
        )
    package = _package(settings, config)
    if package != intended.model_package_arn:
        raise OperatorError(
            f"The endpoint configuration {config} holds {package}, not {intended.model_package_arn}: it was changed "
            "outside this repository. Deploy again."
        )


def check_capacity(settings: Settings, intended: Serving) -> None:
    """Compare the scaling limits and the provisioned concurrency in force with the intended ones."""
    resource = f"endpoint/{intended.endpoint_name}/variant/{intended.variant_name}"
    if intended.autoscaling_enabled:
        targets = client("application-autoscaling", settings.region).describe_scalable_targets(
            ServiceNamespace="sagemaker", ResourceIds=[resource]
        )["ScalableTargets"]
        limits = [(t["MinCapacity"], t["MaxCapacity"]) for t in targets]
        if limits != [(intended.min_capacity, intended.max_capacity)]:
            raise OperatorError(
                f"{resource} scales within {limits}, not {intended.min_capacity} to {intended.max_capacity}."
            )
    if not intended.provisioned_concurrency:
        return
    functions = client("lambda", settings.region)
    for _ in pauses():
        config = functions.get_provisioned_concurrency_config(
            FunctionName=intended.function_name, Qualifier=intended.function_version
        )
        if config["Status"] != "IN_PROGRESS":
            break
    if config["Status"] != "READY" or (
        config["AvailableProvisionedConcurrentExecutions"] != intended.provisioned_concurrency
    ):
        raise OperatorError(
            f"Provisioned concurrency of {intended.function_name} is {config['Status']} "
            f"({config.get('StatusReason', 'no reason given')}), not READY with {intended.provisioned_concurrency}."
        )


def _settled(settings: Settings, endpoint: str) -> dict:
    sagemaker = client("sagemaker", settings.region)
    for _ in pauses():
        try:
            live = sagemaker.describe_endpoint(EndpointName=endpoint)
        except ClientError as error:
            if program.is_missing(error):
                raise OperatorError(f"The endpoint {endpoint} does not exist: run ./inv deploy.") from error
            raise
        if live["EndpointStatus"] not in ("Creating", "Updating", "SystemUpdating", "RollingBack"):
            return live
    raise AssertionError("pauses() never ends")


def _package(settings: Settings, config: str) -> str:
    sagemaker = client("sagemaker", settings.region)
    variant = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"][0]
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    return model["PrimaryContainer"].get("ModelPackageName", "a model without a model package")
