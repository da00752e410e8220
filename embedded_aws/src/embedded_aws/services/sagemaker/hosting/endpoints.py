"""Endpoints: their records and operations."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError

from embedded_aws.services.events import sagemaker as events
from embedded_aws.services.sagemaker.hosting import deployments, shifting, variants
from embedded_aws.services.sagemaker.hosting.endpoint_configs import EndpointConfigsBackend
from embedded_aws.services.sagemaker.hosting.live import Key, traffic
from embedded_aws.services.sagemaker.hosting.variants import check_serverless_config
from embedded_aws.services.sagemaker.requests import Operations, page, validated

SERVERLESS = "serverless"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


class EndpointsBackend(EndpointConfigsBackend):
    """A record holds what DescribeEndpoint shows and two members that it does not: "Deployed" and "Pending", the
    deployment that serves and the one under way, each with all that its instances need, so that they outlive
    the configuration and the models that they came from.
    """

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.hosted_endpoints: dict[str, dict[str, Any]] = {}

    def hosted_endpoint(self, name: str) -> dict[str, Any]:
        """Raises ValidationException if there is none."""
        if name not in self.hosted_endpoints:
            raise ValidationError(message=f'Could not find endpoint "{self.resource_arn("endpoint", name)}".')
        return self.hosted_endpoints[name]

    def create_hosted_endpoint(self, request: dict[str, Any]) -> str:
        """Returns the ARN; instances start in the background."""
        name = request["EndpointName"]
        arn = self.resource_arn("endpoint", name)
        if name in self.hosted_endpoints:
            raise ValidationError(message=f'Cannot create already existing endpoint "{arn}".')
        pending = self._deployment(request["EndpointConfigName"])
        shifting.check(request.get("DeploymentConfig", {}), pending)
        self.keep_tags(arn, request.get("Tags"))
        now = datetime.now(timezone.utc)
        endpoint = self.hosted_endpoints[name] = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": request["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
            "Deployed": None,
            "Pending": pending,
        }
        if "DeploymentConfig" in request:
            endpoint["LastDeploymentConfig"] = request["DeploymentConfig"]
        events.endpoint(endpoint)
        deployments.start(deployments.deploy, self._key(name), endpoint)
        return arn

    def update_hosted_endpoint(self, request: dict[str, Any]) -> str:
        """Returns the ARN; the new fleet starts beside the old one in the background."""
        endpoint = self._endpoint_in_service(request["EndpointName"], "UpdateRollbackFailed")
        pending = self._deployment(request["EndpointConfigName"])
        if _is_serverless(pending) and not _is_serverless(endpoint["Deployed"]):
            raise ValidationError(
                message=f'Cannot convert endpoint "{endpoint["EndpointArn"]}" from instances to serverless: create '
                "another endpoint."
            )
        deployed = {v["VariantName"]: v for v in variants.of(endpoint["Deployed"])}
        excluded = {e["VariantPropertyType"] for e in request.get("ExcludeRetainedVariantProperties", [])}
        for variant in variants.of(pending):
            old = deployed.get(variant["VariantName"])
            if old is None:
                continue
            kinds = old.get("InstanceType", SERVERLESS), variant.get("InstanceType", SERVERLESS)
            if kinds[0] != kinds[1] and self.scalable_target(request["EndpointName"], variant["VariantName"]):
                raise ValidationError(
                    message=f"The instance type of variant {variant['VariantName']} cannot be changed from "
                    f"{kinds[0]} to {kinds[1]} while it is registered as a scalable target: deregister the target, "
                    "update the endpoint, and register it again."
                )
            if request.get("RetainAllVariantProperties"):
                if "DesiredInstanceCount" not in excluded and SERVERLESS not in kinds:
                    variant["DesiredInstanceCount"] = old["DesiredInstanceCount"]
                if "DesiredWeight" not in excluded:
                    variant["DesiredWeight"] = variant["CurrentWeight"] = old["DesiredWeight"]
        if request.get("RetainDeploymentConfig"):
            if "DeploymentConfig" in request:
                raise ValidationError(
                    message="DeploymentConfig and RetainDeploymentConfig cannot be given together."
                )
            shifting.check(endpoint.get("LastDeploymentConfig", {}), pending)
        elif "DeploymentConfig" in request:
            shifting.check(request["DeploymentConfig"], pending)
            endpoint["LastDeploymentConfig"] = request["DeploymentConfig"]
        else:
            endpoint.pop("LastDeploymentConfig", None)
        endpoint["Pending"] = pending
        self._begin(endpoint)
        deployments.start(deployments.deploy, self._key(request["EndpointName"]), endpoint)
        return endpoint["EndpointArn"]

    def resize_hosted_endpoint(
        self,
        name: str,
        wanted: list[dict[str, Any]],
        finished: Callable[[str | None], None] = lambda reason: None,
    ) -> str:
        """Change variants' DesiredInstanceCount, DesiredWeight and ServerlessUpdateConfig. Returns the ARN.

        finished: called once it is done, with the reason if it failed.
        """
        endpoint = self._endpoint_in_service(name)
        deployed = {variant["VariantName"]: variant for variant in variants.of(endpoint["Deployed"])}
        for desired in wanted:
            if desired["VariantName"] not in deployed:
                raise ValidationError(
                    message=f'The variant name(s) "{desired["VariantName"]}" is/are not present within endpoint '
                    f'configuration "{endpoint["EndpointConfigName"]}".'
                )
            _check_desired(endpoint["Deployed"], deployed[desired["VariantName"]], desired)
        for desired in wanted:
            changes: dict[str, Any] = {
                k: desired[k] for k in ("DesiredInstanceCount", "DesiredWeight") if k in desired
            }
            variant = deployed[desired["VariantName"]]
            variant.update(changes)
            if update := desired.get("ServerlessUpdateConfig"):
                variant["DesiredServerlessConfig"] = {**variant["ServerlessConfig"], **update}
        self._begin(endpoint)
        by_name = {desired["VariantName"]: desired for desired in wanted}
        deployments.start(deployments.resize, self._key(name), endpoint, by_name, finished)
        return endpoint["EndpointArn"]

    def delete_hosted_endpoint(self, name: str) -> None:
        """Ends in the background; a scalable target of a variant goes with it, as on AWS."""
        endpoint = self._idle_endpoint(name)
        for variant in variants.of(endpoint["Deployed"] or {"Variants": []}):
            self._deregister(name, variant["VariantName"])
        self._begin(endpoint, "Deleting")

        def remove() -> None:
            self.forget_tags(endpoint["EndpointArn"])
            del self.hosted_endpoints[name]

        deployments.start(deployments.delete, self._key(name), remove)

    def delete_hosted_config(self, name: str) -> None:
        """Refuses what an endpoint serves or deploys, which AWS only asks its users not to do."""
        arn = self.hosted_config(name)["EndpointConfigArn"]
        for endpoint in self.hosted_endpoints.values():
            used = [d["EndpointConfigName"] for d in (endpoint["Deployed"], endpoint["Pending"]) if d]
            if name in used and endpoint["EndpointStatus"] != "Deleting":
                raise ValidationError(
                    message=f'Cannot delete endpoint configuration "{arn}": endpoint "{endpoint["EndpointArn"]}" '
                    "is using it. Update the endpoint to another configuration, or delete it, first."
                )
        super().delete_hosted_config(name)

    def described_endpoint(self, name: str) -> dict[str, Any]:
        """DescribeEndpoint's answer."""
        endpoint = self.hosted_endpoint(name)
        answer = {k: v for k, v in endpoint.items() if k not in ("Deployed", "Pending", "AsyncQueue")}
        fleet = traffic(self._key(name)).current
        if endpoint["Deployed"]:
            for member, kind in (
                ("ProductionVariants", "Variants"),
                ("ShadowProductionVariants", "ShadowVariants"),
            ):
                if found := endpoint["Deployed"].get(kind):
                    answer[member] = [
                        _summary(v, fleet.count(v["VariantName"]) if fleet else 0) for v in found
                    ]
            if capture := endpoint["Deployed"].get("DataCaptureConfig"):
                answer["DataCaptureConfig"] = _capture_summary(capture)
            if inference := endpoint["Deployed"].get("AsyncInferenceConfig"):
                answer["AsyncInferenceConfig"] = inference
        if endpoint["Deployed"] and endpoint["Pending"]:
            answer["PendingDeploymentSummary"] = {
                "EndpointConfigName": endpoint["Pending"]["EndpointConfigName"],
                "StartTime": endpoint["LastModifiedTime"],
            }
        return answer

    def recover_endpoints(self) -> None:
        """Bring back, after a restart, what the records say."""
        for name, endpoint in list(self.hosted_endpoints.items()):
            if endpoint["EndpointStatus"] == "Deleting":
                self.forget_tags(endpoint["EndpointArn"])
                del self.hosted_endpoints[name]
            elif endpoint["Deployed"] or endpoint["Pending"]:
                if not endpoint["Pending"]:
                    endpoint["EndpointStatus"] = "SystemUpdating"
                deployments.start(deployments.recover, self._key(name), endpoint)

    def deployment_ids(self) -> set[str]:
        """Of every deployment that serves or is under way."""
        records = [e[which] for e in self.hosted_endpoints.values() for which in ("Deployed", "Pending")]
        return {record["Id"] for record in records if record}

    def scalable_target(self, endpoint: str, variant: str):
        """The variant's target in Application Auto Scaling, or None."""
        scaling = applicationautoscaling_backends[self.account_id][self.region_name]
        return scaling.targets.get(DIMENSION, {}).get(f"endpoint/{endpoint}/variant/{variant}")

    def _deregister(self, endpoint: str, variant: str) -> None:
        scaling = applicationautoscaling_backends[self.account_id][self.region_name]
        if self.scalable_target(endpoint, variant):
            scaling.deregister_scalable_target(
                "sagemaker", f"endpoint/{endpoint}/variant/{variant}", DIMENSION
            )

    def _deployment(self, config_name: str) -> dict[str, Any]:
        """All that a configuration's instances need, as a record. Raises ValidationException."""
        config = self.hosted_config(config_name)
        return {
            "Id": uuid.uuid4().hex,
            "EndpointConfigName": config_name,
            "Variants": [self._variant(v) for v in config["ProductionVariants"]],
            "ShadowVariants": [self._variant(v) for v in config.get("ShadowProductionVariants", [])],
            "DataCaptureConfig": config.get("DataCaptureConfig"),
            "AsyncInferenceConfig": config.get("AsyncInferenceConfig"),
        }

    def _variant(self, variant: dict[str, Any]) -> dict[str, Any]:
        model = self.hosted_model(variant["ModelName"])
        if "PrimaryContainer" not in model and len(model["Containers"]) > 1:
            raise ValidationError(
                message=f"The embedded AWS serves models of one container; {variant['ModelName']} has more."
            )
        weight = variant["InitialVariantWeight"]
        return {
            **variant,
            "Container": self.resolve_container(model.get("PrimaryContainer") or model["Containers"][0]),
            "RoleArn": model["ExecutionRoleArn"],
            "EnableNetworkIsolation": model["EnableNetworkIsolation"],
            "DesiredInstanceCount": variant.get("InitialInstanceCount", 0),
            "DesiredWeight": weight,
            "CurrentWeight": weight,
            "ResolutionTime": datetime.now(timezone.utc),
        }

    def _idle_endpoint(self, name: str) -> dict[str, Any]:
        endpoint = self.hosted_endpoint(name)
        if endpoint["EndpointStatus"] not in ("InService", "Failed", "UpdateRollbackFailed"):
            raise ValidationError(message=f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        return endpoint

    def _endpoint_in_service(self, name: str, *others: str) -> dict[str, Any]:
        """others: statuses that are as good as InService."""
        endpoint = self._idle_endpoint(name)
        if endpoint["EndpointStatus"] not in ("InService", *others):
            raise ValidationError(
                message=f'Cannot update endpoint "{endpoint["EndpointArn"]}" in status '
                f"{endpoint['EndpointStatus']}: it allows {_allowed(endpoint['EndpointStatus'])}."
            )
        return endpoint

    def _begin(self, endpoint: dict[str, Any], status: str = "Updating") -> None:
        endpoint["EndpointStatus"] = status
        endpoint["LastModifiedTime"] = datetime.now(timezone.utc)
        events.endpoint(endpoint)

    def _key(self, name: str) -> Key:
        return self.account_id, self.region_name, name


def _allowed(status: str) -> str:
    return "UpdateEndpoint and DeleteEndpoint" if status == "UpdateRollbackFailed" else "only DeleteEndpoint"


def _is_serverless(deployment: dict[str, Any]) -> bool:
    return any("ServerlessConfig" in variant for variant in deployment["Variants"])


def _check_desired(deployment: dict[str, Any], variant: dict[str, Any], desired: dict[str, Any]) -> None:
    """Raises ValidationException for what UpdateEndpointWeightsAndCapacities cannot make of a variant."""
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


def _summary(variant: dict[str, Any], count: int) -> dict[str, Any]:
    image = variant["Container"]["Image"]
    if serverless := variant.get("ServerlessConfig"):
        capacity = {
            "CurrentInstanceCount": 0,
            "CurrentServerlessConfig": serverless,
            "DesiredServerlessConfig": variant.get("DesiredServerlessConfig", serverless),
        }
    else:
        capacity = {
            "CurrentInstanceCount": count,
            "DesiredInstanceCount": variant["DesiredInstanceCount"],
        }
    return {
        "VariantName": variant["VariantName"],
        "DeployedImages": [
            {
                "SpecifiedImage": image,
                "ResolvedImage": image,
                "ResolutionTime": variant["ResolutionTime"],
            }
        ],
        "CurrentWeight": variant["CurrentWeight"],
        "DesiredWeight": variant["DesiredWeight"],
        **capacity,
    }


def _capture_summary(config: dict[str, Any]) -> dict[str, Any]:
    enabled = config.get("EnableCapture", False)
    summary = {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId"),
    }
    return {key: value for key, value in summary.items() if value is not None}


class EndpointOperations(Operations):
    def create_endpoint(self) -> ActionResult:
        return ActionResult({"EndpointArn": self.sagemaker_backend.create_hosted_endpoint(validated(self))})

    def describe_endpoint(self) -> ActionResult:
        return ActionResult(self.sagemaker_backend.described_endpoint(validated(self)["EndpointName"]))

    def update_endpoint(self) -> ActionResult:
        return ActionResult({"EndpointArn": self.sagemaker_backend.update_hosted_endpoint(validated(self))})

    def update_endpoint_weights_and_capacities(self) -> ActionResult:
        request = validated(self)
        arn = self.sagemaker_backend.resize_hosted_endpoint(
            request["EndpointName"], request["DesiredWeightsAndCapacities"]
        )
        return ActionResult({"EndpointArn": arn})

    def list_endpoints(self) -> ActionResult:
        members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        endpoints = [
            {key: endpoint[key] for key in members}
            for endpoint in self.sagemaker_backend.hosted_endpoints.values()
        ]
        return ActionResult(page(endpoints, validated(self), "Endpoints", "EndpointName"))

    def delete_endpoint(self) -> ActionResult:
        self.sagemaker_backend.delete_hosted_endpoint(validated(self)["EndpointName"])
        return EmptyResult()
