"""The scalable dimension of SageMaker: the number of instances of an endpoint's variant."""

from __future__ import annotations

from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.sagemaker.models import sagemaker_backends

from embedded_aws.services.applicationautoscaling.alarms import VARIANT
from embedded_aws.services.applicationautoscaling.dimension import Dimension, Finished
from embedded_aws.services.sagemaker.hosting import variants
from embedded_aws.services.sagemaker.hosting.keys import EndpointKey
from embedded_aws.services.sagemaker.hosting.metrics import EndpointMetrics


class VariantInstances(Dimension):
    """`sagemaker:variant:DesiredInstanceCount`; resources are `endpoint/NAME/variant/NAME`."""

    name, capacity_name, cooldown = VARIANT, "instance count", 300.0

    def check(self, resource: str) -> None:
        variant = self._variant(resource)
        if "InstanceType" not in variant:
            raise AWSValidationException(
                f"Variant {variant['VariantName']} is serverless: it has no instances for {self.name} to scale."
            )
        if variant["InstanceType"].split(".")[1].startswith("t"):
            raise AWSValidationException(
                "SageMaker doesn't support auto scaling for burstable instances such as T2: variant "
                f"{variant['VariantName']} runs on {variant['InstanceType']}."
            )

    def check_minimum(self, resource: str, bound: int | None) -> None:
        if bound == 0 and not self._is_asynchronous(resource):
            raise AWSValidationException(
                f"The capacity of {resource} must be at least 1: only asynchronous endpoints scale to 0 instances."
            )

    def is_ready(self, resource: str) -> bool:
        endpoint = self._sagemaker.hosted_endpoints.get(resource.split("/")[1])
        return endpoint is not None and endpoint["EndpointStatus"] == "InService"

    def capacity(self, resource: str) -> int:
        return int(self._variant(resource)["DesiredInstanceCount"])

    def resize(self, resource: str, count: int, finished: Finished) -> None:
        _, endpoint, _, variant = resource.split("/")
        wanted = {"VariantName": variant, "DesiredInstanceCount": count}
        self._sagemaker.resize_hosted_endpoint(endpoint, [wanted], finished)

    def record_idle(self, resource: str) -> None:
        if self._is_asynchronous(resource):  # its policies use other metrics
            return
        # Without values the low alarm would never reach ALARM.
        _, endpoint, _, variant = resource.split("/")
        key = EndpointKey(self.account, self.region, endpoint)
        metrics = self._sagemaker.runtime.get(EndpointMetrics)
        metrics.record(key, variant, {"InvocationsPerInstance": 0.0})

    @property
    def _sagemaker(self) -> Any:
        return sagemaker_backends[self.account][self.region]

    def _is_asynchronous(self, resource: str) -> bool:
        endpoint = self._sagemaker.hosted_endpoints.get(resource.split("/")[1], {})
        return bool((endpoint.get("Deployed") or {}).get("AsyncInferenceConfig"))

    def _variant(self, resource: str) -> dict[str, Any]:
        """Return the deployed variant of a resource ID. Raises ValidationException if there is none."""
        parts = resource.split("/")
        if len(parts) == 4 and (parts[0], parts[2]) == ("endpoint", "variant"):
            endpoint = self._sagemaker.hosted_endpoints.get(parts[1], {})
            for variant in variants.of(endpoint.get("Deployed") or {"Variants": []}):
                if variant["VariantName"] == parts[3]:
                    return variant
        raise AWSValidationException(
            f"SageMaker endpoint variant doesn't exist or is not in service: {resource}"
        )
