"""Checks of a deployment: the live endpoint is the intended one, and scales as intended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ml.jobs import job_inputs
from ops import live_endpoint
from ops.aws import is_missing
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.live_endpoint import CHANGING, LiveEndpoint
from ops.outputs import Serving, endpoint_option
from ops.settings import Settings
from ops.text import clause
from ops.waiting import wait_for

UPDATE_SECONDS = 7200  # the longest update, where the settings have no limit
UPDATE_MARGIN_SECONDS = 900  # to roll back an update that has reached its limit
DELETION_SECONDS = 900
CONCURRENCY_SECONDS = 900  # Lambda starts hundreds of environments a minute

Description = dict[str, Any]


def wait_until_stable(
    env: Environment, endpoint: str, progress: Callable[[str], None] = lambda text: None
) -> LiveEndpoint | None:
    """Return the endpoint once nothing changes it any more; None if there is no such endpoint, or once it is deleted.

    Raises OperatorError if an update takes longer than it may.
    """
    status = ""
    limit = env.settings.serving.deployment.maximum_execution_seconds or UPDATE_SECONDS
    seconds = limit + UPDATE_MARGIN_SECONDS

    def stable() -> bool | None:
        nonlocal status
        status = _status(env, endpoint)
        return None if status in CHANGING else True

    wait_for(
        stable,
        seconds=seconds,
        on_timeout=lambda: (
            f"The endpoint {endpoint} is still {status} after {seconds // 60} minutes: look at the "
            "SageMaker console, then run the same command again."
        ),
        on_wait=lambda: progress(f"waiting until the endpoint is stable: it is {status}"),
    )
    return live_endpoint.find(env, endpoint)


def wait_until_deleted(env: Environment, endpoint: str, progress: Callable[[str], None]) -> None:
    """Wait until an endpoint whose deletion has begun is gone: until then it bills.

    Raises OperatorError if it takes too long.
    """
    wait_for(
        lambda: None if _status(env, endpoint) else True,
        seconds=DELETION_SECONDS,
        on_wait=lambda: progress(f"waiting until {endpoint} is deleted"),
        on_timeout=lambda: (
            f"The endpoint {endpoint} still exists {DELETION_SECONDS // 60} minutes after its deletion began: "
            "look at the SageMaker console, then run the same command again."
        ),
    )


def _status(env: Environment, endpoint: str) -> str:
    """Return an endpoint's status; empty if there is none."""
    try:
        return str(env.client("sagemaker").describe_endpoint(EndpointName=endpoint)["EndpointStatus"])
    except ClientError as error:
        if is_missing(error):
            return ""
        raise


def check_convertible(settings: Settings, deployed: Serving) -> None:
    """Raise OperatorError if SageMaker cannot convert the endpoint to the hosting in the settings.

    The only conversion is from serverless to instances.
    """
    (wanted,) = settings.serving.hosting
    if wanted == deployed.hosting or (deployed.hosting, wanted) == ("serverless", "instance"):
        return
    raise Refused(
        f"The endpoint {deployed.endpoint_name} has {deployed.hosting} hosting, and SageMaker cannot change it to "
        f"{wanted}: deploy another endpoint with --endpoint NAME, or first run "
        f"./inv destroy{settings.flag} --stack serving."
    )


def check_image(env: Environment, package: str) -> None:
    """Raise OperatorError if serverless inference, which has no GPU, cannot run the image of a model package."""
    if not env.settings.serving.serverless:
        return
    described = env.client("sagemaker").describe_model_package(ModelPackageName=package)
    image = described["InferenceSpecification"]["Containers"][0]["Image"]
    if image != (wanted := job_inputs.serving_image(env.settings)):
        raise Refused(
            f"Model version {described['ModelPackageVersion']} is registered with image {image}, and serverless inference, "
            f"which has no GPU, needs {wanted}: serve it on instances, or train and register it again with "
            f"./inv train{env.settings.flag} --again."
        )


def check_live(env: Environment, intended: Serving) -> None:
    """Raise OperatorError if the live endpoint differs from the intended one.

    After a rollback the endpoint is InService with the old configuration, and Terraform reports success
    (terraform-provider-aws#46663). So compare.
    """
    name, flag = intended.endpoint_name, env.settings.flag
    command = f"./inv deploy{flag}{endpoint_option(env.settings, name)}"
    live = wait_until_stable(env, name)
    if live is None:
        raise OperatorError(f"The endpoint {name} does not exist: run {command}.")
    reason = f" ({clause(live.reason)})" if live.reason else ""
    if live.status != "InService":
        raise OperatorError(
            f"The endpoint {name} is {live.status}{reason}: its containers' logs are in /aws/sagemaker/Endpoints/{name}. "
            f"{command} repairs it."
        )
    if live.config != intended.endpoint_config_name:
        raise rolled_back(env, live)
    for variant, package in live.packages.items():
        if package != (wanted := intended.variants.get(variant, "nothing")):
            raise OperatorError(
                f"Variant {variant} of the endpoint configuration {live.config} holds "
                f"{package or 'a model without a model package'}, not {wanted}: it was changed outside this repository. "
                f"Run {command} again."
            )


def rolled_back(env: Environment, live: LiveEndpoint) -> OperatorError:
    """Return the error of an update that SageMaker has rolled back. live: the endpoint after it."""
    reason = f" ({clause(live.reason)})" if live.reason else ""
    version = f"model version {live.package.rpartition('/')[2]}" if live.package else "the old model"
    command = f"./inv deploy{env.settings.flag}{endpoint_option(env.settings, live.name)}"
    return OperatorError(
        f"SageMaker rolled the update of the endpoint {live.name} back{reason}: {version} is in service as before, with "
        f"configuration {live.config}. The containers' logs are in /aws/sagemaker/Endpoints/{live.name}. Fix the cause "
        f"and run {command} again."
    )


def check_capacity(env: Environment, intended: Serving) -> None:
    """Raise OperatorError if scaling limits or provisioned concurrency differ from the intended ones.

    Where a schedule sets the provisioned concurrency, any number will do.
    """
    for variant in intended.scaled_variants:
        _check_limits(env, intended, f"endpoint/{intended.endpoint_name}/variant/{variant}")
    if not intended.provisioned_concurrency:
        return
    config = _allocated_concurrency(env, intended)
    name = f"{intended.function_name}:{intended.provisioned_qualifier}"
    if config["Status"] != "READY":
        raise OperatorError(
            f"Provisioned concurrency of {name} is {config['Status']} "
            f"({clause(config.get('StatusReason') or 'no reason given')}), not READY: see /aws/lambda/"
            f"{intended.function_name}, then deploy again."
        )
    # Not AvailableProvisionedConcurrentExecutions: it leaves out those that are serving a request.
    requested = config["RequestedProvisionedConcurrentExecutions"]
    by_schedule = intended.provisioned_qualifier == intended.function_alias
    if not by_schedule and requested != intended.provisioned_concurrency:
        raise OperatorError(
            f"Provisioned concurrency of {name} is {requested}, not {intended.provisioned_concurrency}: it was changed "
            "outside this repository, or by another deployment at the same time. Deploy again."
        )


def _allocated_concurrency(env: Environment, intended: Serving) -> Description:
    """Return the provisioned concurrency once Lambda has allocated it, or failed to."""

    def allocated() -> Description | None:
        config: Description = env.client("lambda").get_provisioned_concurrency_config(
            FunctionName=intended.function_name, Qualifier=intended.provisioned_qualifier
        )
        return None if config["Status"] == "IN_PROGRESS" else config

    return wait_for(
        allocated,
        seconds=CONCURRENCY_SECONDS,
        on_timeout=lambda: (
            f"Lambda has not allocated the provisioned concurrency of {intended.function_name} within "
            f"{CONCURRENCY_SECONDS // 60} minutes: look at the Lambda console, then deploy again."
        ),
    )


def _check_limits(env: Environment, intended: Serving, resource: str) -> None:
    """Raise OperatorError unless a variant scales within the intended limits, or at all if a schedule changes them."""
    targets = env.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[resource]
    )["ScalableTargets"]
    limits = [(t["MinCapacity"], t["MaxCapacity"]) for t in targets]
    if not limits or (not intended.scheduled and limits != [(intended.min_capacity, intended.max_capacity)]):
        found = " and ".join(f"from {low} to {high}" for low, high in limits) or "not at all"
        raise OperatorError(
            f"{resource} scales {found}, not from {intended.min_capacity} to {intended.max_capacity}: it was changed "
            "outside this repository. Register the scalable target with these capacities, and deploy again."
        )
