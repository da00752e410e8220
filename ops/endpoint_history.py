"""What stack serving must know about its endpoint: kept configurations, the live one, instance counts, alarms."""

from __future__ import annotations

import re
from typing import Any

from botocore.exceptions import ClientError

from ops import live_endpoint
from ops.aws import is_denied, is_missing
from ops.environment import Environment
from ops.errors import OperatorError
from ops.live_endpoint import LiveEndpoint

KEY = r"[0-9a-f]{8}"  # the hash in the name of an endpoint configuration

Description = dict[str, Any]


def deployed(env: Environment, endpoint: str) -> dict[str, Any]:
    """Return the input `deployed` of stack serving: facts that Terraform cannot read but must keep.

    An update starts as many instances as the new configuration says, so it takes over the live counts. And a failed
    update rolls back to the live configuration, so that one is kept.

    kept_configurations: the kept configurations, newest first.
    alarms_in_alarm: the settings' rollback alarms that are in ALARM, which would roll back any update.
    live: the key of the configuration in service; absent without an endpoint, like the next two.
    instance_counts: instances of each variant.
    rollback_alarm_names: the alarms of the last update; None if it is not known.
    """
    live = live_endpoint.find(env, endpoint)
    found: dict[str, Any] = {
        "kept_configurations": kept(env, endpoint, live),
        "alarms_in_alarm": alarms_in_alarm(env, env.settings.serving.deployment.rollback_alarm_names),
    }
    if live is None:
        return found
    return {
        **found,
        "live": live.config.removeprefix(f"{endpoint}-"),
        "instance_counts": live.desired,
        "rollback_alarm_names": None if live.alarms is None else list(live.alarms),
    }


def kept(env: Environment, endpoint: str, live: LiveEndpoint | None) -> list[Description]:
    """Return the configurations that stack serving keeps, newest first.

    The live one is among them even if the parameter is missing, not valid or older than the endpoint, as after an
    interrupted deployment: without it, the next deployment would delete the configuration that serves.
    """
    try:
        found = [configuration.model_dump() for configuration in env.outputs.kept_configurations(endpoint)]
    except OperatorError:  # damaged, or of another version of this repository
        found = []
    key = live.config.removeprefix(f"{endpoint}-") if live else ""
    if re.fullmatch(KEY, key) and key not in (configuration["key"] for configuration in found):
        read = _read_configuration(env, endpoint, key)
        found = [*([read] if read else []), *found]
    return found


def _read_configuration(env: Environment, endpoint: str, key: str) -> Description | None:
    """Return a configuration as the stack describes it, from SageMaker; None if it, or a model of it, is deleted."""
    sagemaker = env.client("sagemaker")
    try:
        config = sagemaker.describe_endpoint_config(EndpointConfigName=f"{endpoint}-{key}")
        production, shadow = config["ProductionVariants"], config.get("ShadowProductionVariants", [])
        models = {
            v["ModelName"]: sagemaker.describe_model(ModelName=v["ModelName"]) for v in [*production, *shadow]
        }
    except ClientError as error:
        if not is_missing(error):
            raise
        return None
    if not all(model.get("PrimaryContainer", {}).get("ModelPackageName") for model in models.values()):
        return None  # not of this repository
    main = models[production[0]["ModelName"]]
    vpc, capture = main.get("VpcConfig"), config.get("DataCaptureConfig") or {}
    return {
        "key": key,
        "execution_role_arn": main["ExecutionRoleArn"],
        "network_isolation": main.get("EnableNetworkIsolation", False),
        "kms_key_arn": config.get("KmsKeyId"),
        "network": {"subnet_ids": vpc["Subnets"], "security_group_ids": vpc["SecurityGroupIds"]}
        if vpc
        else None,
        "data_capture": {
            "uri": capture["DestinationS3Uri"],
            "kms_key_arn": capture.get("KmsKeyId"),
            "sampling_percentage": capture["InitialSamplingPercentage"],
        }
        if capture.get("EnableCapture")
        else None,
        "asynchronous": _asynchronous(config.get("AsyncInferenceConfig")),
        "variants": [
            *(_variant(v, models[v["ModelName"]], shadow=False) for v in production),
            *(_variant(v, models[v["ModelName"]], shadow=True) for v in shadow),
        ],
    }


def _variant(variant: Description, model: Description, *, shadow: bool) -> Description:
    serverless = variant.get("ServerlessConfig")
    return {
        "name": variant["VariantName"],
        "model_name": variant["ModelName"],
        "model_package_arn": model["PrimaryContainer"]["ModelPackageName"],
        "weight": variant["InitialVariantWeight"],
        "shadow": shadow,
        "instance_type": variant.get("InstanceType"),
        "instance_count": variant.get("InitialInstanceCount"),
        "serverless": {
            "memory_mb": serverless["MemorySizeInMB"],
            "max_concurrency": serverless["MaxConcurrency"],
            "provisioned_concurrency": serverless.get("ProvisionedConcurrency", 0),
        }
        if serverless
        else None,
    }


def _asynchronous(config: Description | None) -> Description | None:
    if not config:
        return None
    output = config["OutputConfig"]
    topics = output.get("NotificationConfig", {})
    return {
        "output_uri": output["S3OutputPath"],
        "failure_uri": output["S3FailurePath"],
        "kms_key_arn": output.get("KmsKeyId"),
        "max_concurrent_invocations_per_instance": config.get("ClientConfig", {}).get(
            "MaxConcurrentInvocationsPerInstance"
        ),
        "success_topic_arn": topics.get("SuccessTopic"),
        "error_topic_arn": topics.get("ErrorTopic"),
    }


def alarms_in_alarm(env: Environment, names: list[str]) -> list[str]:
    """Return which of these CloudWatch alarms are in ALARM; none if the caller may not read alarms."""
    if not names:
        return []
    try:
        answer = env.client("cloudwatch").describe_alarms(
            AlarmNames=names, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
    except ClientError as error:
        if not is_denied(error):
            raise
        return []
    alarms = [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
    return sorted(alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM")
