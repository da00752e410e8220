"""Records of endpoints, and the changes to them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.sagemaker.exceptions import ValidationError

from embedded_aws.services.sagemaker import events
from embedded_aws.services.sagemaker.hosting import descriptions, shifting, variants
from embedded_aws.services.sagemaker.hosting.deployments import Deployments
from embedded_aws.services.sagemaker.hosting.endpoint_configs import EndpointConfigsBackend
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.traffic import LiveEndpoints

SERVERLESS = "serverless"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


class EndpointsBackend(EndpointConfigsBackend):
    """Endpoints by name.

    A record has the members of DescribeEndpoint, and:

    Deployed: the deployment that serves.
    Pending: the deployment that starts.

    A deployment contains everything that its instances need: its configuration and models may be deleted meanwhile.
    """

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.hosted_endpoints: dict[str, dict[str, Any]] = {}

    def hosted_endpoint(self, name: str) -> dict[str, Any]:
        """Return the record of an endpoint. Raises ValidationException if there is none."""
        if name not in self.hosted_endpoints:
            raise ValidationError(message=f'Could not find endpoint "{self.resource_arn("endpoint", name)}".')
        return self.hosted_endpoints[name]

    def create_hosted_endpoint(self, request: dict[str, Any]) -> str:
        """Create an endpoint and return its ARN. Its instances start in the background."""
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
        self._deployments.deploy(self._key(name), endpoint)
        return arn

    def update_hosted_endpoint(self, request: dict[str, Any]) -> str:
        """Start another configuration of an endpoint in the background. Return the ARN."""
        endpoint = self._endpoint_in_service(request["EndpointName"], "UpdateRollbackFailed")
        pending = self._deployment(request["EndpointConfigName"])
        if _is_serverless(pending) and not _is_serverless(endpoint["Deployed"]):
            raise ValidationError(
                message=f'Cannot convert endpoint "{endpoint["EndpointArn"]}" from instances to serverless: create '
                "another endpoint."
            )
        self._retain_properties(request, endpoint["Deployed"], pending)
        self._set_deployment_config(request, endpoint, pending)
        endpoint["Pending"] = pending
        self._begin(endpoint)
        self._deployments.deploy(self._key(request["EndpointName"]), endpoint)
        arn: str = endpoint["EndpointArn"]
        return arn

    def _retain_properties(
        self, request: dict[str, Any], deployed: dict[str, Any], pending: dict[str, Any]
    ) -> None:
        """Keep instance counts and weights of the variants, if UpdateEndpoint requests it."""
        old_variants = {v["VariantName"]: v for v in variants.of(deployed)}
        excluded = {e["VariantPropertyType"] for e in request.get("ExcludeRetainedVariantProperties", [])}
        for variant in variants.of(pending):
            old = old_variants.get(variant["VariantName"])
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

    def _set_deployment_config(
        self, request: dict[str, Any], endpoint: dict[str, Any], pending: dict[str, Any]
    ) -> None:
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

    def resize_hosted_endpoint(
        self,
        name: str,
        wanted: list[dict[str, Any]],
        finished: Callable[[str | None], None] = lambda reason: None,
    ) -> str:
        """Change variants in the background. Return the ARN.

        wanted: DesiredWeightsAndCapacities.
        finished: called at the end, with the reason of a failure.
        """
        endpoint = self._endpoint_in_service(name)
        deployed = {variant["VariantName"]: variant for variant in variants.of(endpoint["Deployed"])}
        for desired in wanted:
            if desired["VariantName"] not in deployed:
                raise ValidationError(
                    message=f'The variant name(s) "{desired["VariantName"]}" is/are not present within endpoint '
                    f'configuration "{endpoint["EndpointConfigName"]}".'
                )
            variants.check_desired(endpoint["Deployed"], deployed[desired["VariantName"]], desired)
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
        self._deployments.resize(self._key(name), endpoint, by_name, finished)
        arn: str = endpoint["EndpointArn"]
        return arn

    def delete_hosted_endpoint(self, name: str) -> None:
        """Delete an endpoint in the background, with the scalable targets of its variants, as on AWS."""
        endpoint = self._idle_endpoint(name)
        for variant in variants.of(endpoint["Deployed"] or {"Variants": []}):
            self._deregister(name, variant["VariantName"])
        self._begin(endpoint, "Deleting")

        def remove() -> None:
            self.forget_tags(endpoint["EndpointArn"])
            del self.hosted_endpoints[name]

        self._deployments.delete(self._key(name), remove)

    def delete_hosted_config(self, name: str) -> None:
        """Delete a configuration. Refuses one that an endpoint uses; AWS only asks its users not to delete it."""
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
        """Return the answer of DescribeEndpoint."""
        endpoint = self.hosted_endpoint(name)
        fleet = self.runtime.get(LiveEndpoints).traffic(self._key(name)).current
        return descriptions.endpoint(endpoint, fleet)

    def recover_endpoints(self) -> None:
        """After a restart, start every endpoint again, and finish deletions."""
        for name, endpoint in list(self.hosted_endpoints.items()):
            if endpoint["EndpointStatus"] == "Deleting":
                self.forget_tags(endpoint["EndpointArn"])
                del self.hosted_endpoints[name]
            elif endpoint["Deployed"] or endpoint["Pending"]:
                if not endpoint["Pending"]:
                    endpoint["EndpointStatus"] = "SystemUpdating"
                self._deployments.recover(self._key(name), endpoint)

    def deployment_ids(self) -> set[str]:
        """Return the ids of every deployed and pending deployment."""
        records = [e[which] for e in self.hosted_endpoints.values() for which in ("Deployed", "Pending")]
        return {record["Id"] for record in records if record}

    def scalable_target(self, endpoint: str, variant: str) -> Any:
        """Return the variant's target in Application Auto Scaling, or None."""
        scaling = applicationautoscaling_backends[self.account_id][self.region_name]
        return scaling.targets.get(DIMENSION, {}).get(f"endpoint/{endpoint}/variant/{variant}")

    def _deregister(self, endpoint: str, variant: str) -> None:
        scaling = applicationautoscaling_backends[self.account_id][self.region_name]
        if self.scalable_target(endpoint, variant):
            scaling.deregister_scalable_target(
                "sagemaker", f"endpoint/{endpoint}/variant/{variant}", DIMENSION
            )

    def _deployment(self, config_name: str) -> dict[str, Any]:
        """Return a deployment of a configuration. Raises ValidationException."""
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
        """Return the record of an endpoint that can be updated. Raises ValidationException.

        others: statuses allowed besides InService.
        """
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

    @property
    def _deployments(self) -> Deployments:
        return self.runtime.get(Deployments)

    def _key(self, name: str) -> EndpointKey:
        return EndpointKey(self.account_id, self.region_name, name)


def _allowed(status: str) -> str:
    return "UpdateEndpoint and DeleteEndpoint" if status == "UpdateRollbackFailed" else "only DeleteEndpoint"


def _is_serverless(deployment: dict[str, Any]) -> bool:
    return any("ServerlessConfig" in variant for variant in deployment["Variants"])
