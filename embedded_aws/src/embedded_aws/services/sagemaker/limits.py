"""Account quotas of SageMaker: refuses what exceeds them, with AWS's error."""

from __future__ import annotations

from collections import Counter
from typing import Any

from moto.sagemaker.exceptions import SagemakerClientError

from embedded_aws.services.sagemaker.hosting import shifting, variants
from embedded_aws.services.sagemaker.hosting.endpoints import EndpointsBackend
from embedded_aws.services.sagemaker.processing.backend import ProcessingBackend
from embedded_aws.services.sagemaker.tuning.backend import TuningBackend
from embedded_aws.services.servicequotas import quotas
from embedded_aws.services.servicequotas.quotas import Quotas

_TOTALS = {
    "training job": quotas.ALL_TRAINING,
    "spot training job": quotas.ALL_SPOT_TRAINING,
    "processing job": quotas.ALL_PROCESSING,
    "endpoint": quotas.ALL_ENDPOINTS,
}
Use = tuple[str, str]  # instance type, and purpose, a key of _TOTALS


class ResourceLimitExceeded(SagemakerClientError):
    code = "ResourceLimitExceeded"


class SageMakerLimits(TuningBackend, ProcessingBackend, EndpointsBackend):
    """Checks quotas before any instances start."""

    def start_training(self, request: dict[str, Any], *args: Any, **options: Any) -> Any:
        if request["TrainingJobName"] not in self.training_records:
            self._require(_of_training(request))
        return super().start_training(request, *args, **options)

    def start_tuning(self, request: dict[str, Any]) -> Any:
        if request["HyperParameterTuningJobName"] not in self.tuning_records:
            parallel = request["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"]
            wanted = _of_training(request.get("TrainingJobDefinition") or {})
            self._refuse_over(quotas.PARALLEL_TRIALS, 0, parallel)
            self._require(Counter({use: count * parallel for use, count in wanted.items()}))
        return super().start_tuning(request)

    def start_processing(self, request: dict[str, Any]) -> Any:
        if request["ProcessingJobName"] not in self.processing_records:
            self._require(_of_processing(request))
        return super().start_processing(request)

    def create_hosted_endpoint(self, request: dict[str, Any]) -> str:
        config = self.hosted_configs.get(request["EndpointConfigName"])
        if config is not None and request["EndpointName"] not in self.hosted_endpoints:
            self._require(_of_config(config))
            self._require_concurrency(request["EndpointName"], config)
        return super().create_hosted_endpoint(request)

    def update_hosted_endpoint(self, request: dict[str, Any]) -> str:
        config = self.hosted_configs.get(request["EndpointConfigName"])
        if config is not None:  # the new fleet, or a batch of it, runs next to the old one during the update
            wanted = _of_config(config)
            policy = request.get("DeploymentConfig", {}).get("RollingUpdatePolicy")
            if policy and shifting.rolls({"Variants": config["ProductionVariants"]}):
                size = policy["MaximumBatchSize"]
                wanted = Counter({use: shifting.batch(size, count) for use, count in wanted.items()})
            self._require(wanted)
            self._require_concurrency(request["EndpointName"], config)
        return super().update_hosted_endpoint(request)

    def resize_hosted_endpoint(self, name: str, wanted: list[dict[str, Any]], *args: Any) -> str:
        endpoint = self.hosted_endpoints.get(name)
        deployed = (endpoint or {}).get("Deployed") or {"Variants": []}
        desired = {d["VariantName"]: d["DesiredInstanceCount"] for d in wanted if "DesiredInstanceCount" in d}
        more: Counter[Use] = Counter()
        for variant in variants.of(deployed):
            count = variant["DesiredInstanceCount"]
            added = desired.get(variant["VariantName"], count) - count
            if "InstanceType" in variant:  # otherwise serverless
                more[variant["InstanceType"], "endpoint"] += max(0, added)
        self._require(more)
        return super().resize_hosted_endpoint(name, wanted, *args)

    def _in_use(self) -> Counter[Use]:
        """Count the instances that run in this region now."""
        used: Counter[Use] = Counter()
        for job in list(self.training_records.values()):
            if not job.ended:
                used += _of_training(job.request)
        for processing in list(self.processing_records.values()):
            if not processing.ended:
                used += _of_processing(processing.request)
        for endpoint in list(self.hosted_endpoints.values()):
            for deployment in (endpoint["Deployed"], endpoint["Pending"]):
                used += _of_variants(variants.of(deployment or {"Variants": []}), "DesiredInstanceCount")
        return used

    def _require(self, wanted: Counter[Use]) -> None:
        """Raise ResourceLimitExceeded if the account cannot have that many more instances."""
        used = self._in_use()
        for (kind, purpose), count in wanted.items():
            self._refuse_over(f"{kind} for {purpose} usage", used[kind, purpose], count)
        for purpose, name in _TOTALS.items():
            more, now = (sum(n for (_, use), n in c.items() if use == purpose) for c in (wanted, used))
            self._refuse_over(name, now, more)

    def _require_concurrency(self, endpoint: str, config: dict[str, Any]) -> None:
        """Raise ResourceLimitExceeded if the account's serverless endpoints cannot have that concurrency.

        endpoint: its own concurrency is replaced.
        """
        deployed = [
            found["Deployed"]
            for name, found in list(self.hosted_endpoints.items())
            if name != endpoint and found["Deployed"]
        ]
        used = sum(_concurrency(variants.of(deployment)) for deployment in deployed)
        more = _concurrency(config["ProductionVariants"])
        self._refuse_over(quotas.SERVERLESS_CONCURRENCY, used, more, "")

    def _refuse_over(self, name: str, used: int, more: int, unit: str = " Instances") -> None:
        """Raise ResourceLimitExceeded if a quota allows no more than is used."""
        quota = quotas.named("sagemaker", name)
        if quota is None or not more:
            return
        limit = self.runtime.get(Quotas).value(quota)
        if used + more > limit:
            raise ResourceLimitExceeded(
                f"The account-level service limit '{quota.name}' is {limit:g}{unit}, with current utilization "
                f"of {used}{unit} and a request delta of {more}{unit}. Please use AWS "
                "Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, "
                "contact AWS support to request an increase for this quota."
            )


def _concurrency(every: list[dict[str, Any]]) -> int:
    return sum(variant.get("ServerlessConfig", {}).get("MaxConcurrency", 0) for variant in every)


def _of_training(request: dict[str, Any]) -> Counter[Use]:
    resources = request.get("ResourceConfig") or {}
    purpose = "spot training job" if request.get("EnableManagedSpotTraining") else "training job"
    kind = resources.get("InstanceType")
    return Counter({(kind, purpose): resources.get("InstanceCount", 1)} if kind else {})


def _of_processing(request: dict[str, Any]) -> Counter[Use]:
    cluster = request["ProcessingResources"]["ClusterConfig"]
    kind = cluster.get("InstanceType")
    return Counter({(kind, "processing job"): cluster.get("InstanceCount", 1)} if kind else {})


def _of_config(config: dict[str, Any]) -> Counter[Use]:
    every = [*config["ProductionVariants"], *config.get("ShadowProductionVariants", [])]
    return _of_variants(every, "InitialInstanceCount")


def _of_variants(every: list[dict[str, Any]], count: str) -> Counter[Use]:
    used: Counter[Use] = Counter()
    for variant in every:
        if "InstanceType" in variant:
            used[variant["InstanceType"], "endpoint"] += variant.get(count, 1)
    return used
