"""A deployment that runs: the instances of every variant of one endpoint configuration."""

from __future__ import annotations

import math
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embedded_aws import runtime
from embedded_aws.services.sagemaker.hosting import variants
from embedded_aws.services.sagemaker.hosting.artifacts import prepare
from embedded_aws.services.sagemaker.hosting.failures import DeploymentFailed
from embedded_aws.services.sagemaker.hosting.instances import Instance
from embedded_aws.services.sagemaker.hosting.models import PRINCIPAL

STARTUP_TIMEOUT = 480.0  # seconds for a container to pass its first health check, if the variant does not say
SHADOW_REQUESTS = 16  # under way on each instance of a shadow variant, at most
DRAIN_TIMEOUT = 60.0  # seconds that requests under way may still take


class Fleet:
    """`deployment` is a record: {"Id", "EndpointConfigName", "Variants": [...]}; weights are read from it live."""

    def __init__(self, deployment: dict[str, Any], region: str, write_log: Callable[[str, list[str]], None]):
        self.deployment = deployment
        self._region, self._write_log = region, write_log
        self._lock = threading.Lock()
        self._instances: dict[str, list[Instance]] = {v["VariantName"]: [] for v in variants.of(deployment)}

    @property
    def folder(self) -> Path:
        return runtime.current().folder("endpoints") / self.deployment["Id"]

    def launch(self) -> None:
        """Start every variant's instances and wait for them. Raises DeploymentFailed; the caller ends it then."""
        launched = variants.of(self.deployment)
        self.prepare()
        for variant in launched:
            self._add(variant, variant["DesiredInstanceCount"])
        for variant in launched:
            self._await(variant, self._instances[variant["VariantName"]])

    def prepare(self) -> None:
        """Have what every variant's instances run, without any. Raises DeploymentFailed."""
        for variant in variants.of(self.deployment):
            prepare(variant, self.folder / variant["VariantName"], self._region)

    def scale(self, name: str, count: int) -> None:
        """Bring a variant to `count` instances, drained ones ended. Raises DeploymentFailed, with none added."""
        variant = self.variant(name)
        added = self._add(variant, count - len(self._instances[name]), serving=False)
        try:
            self._await(variant, added)
        except DeploymentFailed:
            end_all(added)
            raise
        with self._lock:
            instances = self._instances[name] + added
            self._instances[name], surplus = instances[:count], instances[count:]
        drain(surplus)

    def provision(self, count: int) -> None:
        """Have `count` processes warm: for serverless variants, which override this."""
        raise NotImplementedError("only serverless variants have provisioned concurrency")

    def variant(self, name: str) -> dict[str, Any]:
        """The record of a variant. Raises KeyError."""
        return next(v for v in variants.of(self.deployment) if v["VariantName"] == name)

    def count(self, name: str) -> int:
        """Instances of a variant now."""
        return len(self._instances[name])

    def instances(self) -> dict[str, list[Instance]]:
        """Of every variant now."""
        with self._lock:
            return {name: list(instances) for name, instances in self._instances.items()}

    def pick(self, target: str | None) -> tuple[dict[str, Any], Instance] | None:
        """A variant, by weight unless `target` names it, and its healthy instance with the least to do.

        The instance counts the request as its own: give it back with `done`. None if no instance is healthy.
        Raises KeyError for an unknown target.
        """
        with self._lock:
            wanted = [v for v in self.deployment["Variants"] if target in (None, v["VariantName"])]
            if not wanted:
                raise KeyError(target)
            candidates = [v for v in wanted if any(i.healthy for i in self._instances[v["VariantName"]])]
            weights = [1.0 if target else v["CurrentWeight"] for v in candidates]
            if not any(weights):
                return None
            variant = candidates[0] if len(candidates) == 1 else random.choices(candidates, weights)[0]
            instance = self._least_busy(variant)
            return (variant, instance) if instance else None

    def pick_shadow(self) -> tuple[dict[str, Any], Instance] | None:
        """As `pick`, of the shadow variant, if the sampling hits it: by its weight over the production variant's.

        None also while its instances have all that they may: a shadow that falls behind misses requests.
        """
        shadow = next(iter(self.deployment.get("ShadowVariants", [])), None)
        if (
            shadow is None
            or random.random() * self.deployment["Variants"][0]["CurrentWeight"] >= shadow["CurrentWeight"]
        ):
            return None
        with self._lock:
            instance = self._least_busy(shadow, SHADOW_REQUESTS)
        return (shadow, instance) if instance else None

    def _least_busy(self, variant: dict[str, Any], most: float = math.inf) -> Instance | None:
        """A healthy instance with the fewest requests, and fewer than `most`; it counts one more from here on."""
        healthy = [i for i in self._instances[variant["VariantName"]] if i.healthy and i.in_flight < most]
        if not healthy:
            return None
        least = min(i.in_flight for i in healthy)
        instance = random.choice([i for i in healthy if i.in_flight == least])
        instance.in_flight += 1
        return instance

    def measured(self, name: str, instance: Instance) -> dict[str, float]:
        """Metrics of a request that `instance` of the variant `name` has, beyond those of every request."""
        return {"InvocationsPerInstance": 1.0 / max(1, self.count(name))}

    @property
    def memory_limit(self) -> int | None:
        """Bytes that a container may use; None for all of the machine's."""
        return None

    def done(self, instance: Instance) -> None:
        """The request that `pick` counted is over."""
        with self._lock:
            instance.in_flight -= 1

    def end(self) -> None:
        """Drain and end every instance and drop the unpacked models."""
        with self._lock:  # `pick` finds none from here on
            surplus = [instance for instances in self._instances.values() for instance in instances]
            self._instances = {name: [] for name in self._instances}
        drain(surplus)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _add(self, variant: dict[str, Any], count: int, serving: bool = True) -> list[Instance]:
        name = variant["VariantName"]
        added = [
            Instance(
                self.folder / name,
                lambda: self._environment(variant),
                lambda instance, lines: self._write_log(f"{name}/{instance}", lines),
                variant.get("ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_TIMEOUT),
            )
            for _ in range(count)
        ]
        if serving:
            self._instances[name] += added
        return added

    def _await(self, variant: dict[str, Any], instances: list[Instance]) -> None:
        if not all([instance.wait_ready() for instance in instances]):
            raise DeploymentFailed(
                f"The primary container for production variant {variant['VariantName']} did not pass the ping "
                "health check. Please check CloudWatch logs for this endpoint."
            )

    def _environment(self, variant: dict[str, Any]) -> dict[str, str]:
        inherited = runtime.current().environment(variant["RoleArn"], PRINCIPAL, self._region, "SageMaker")
        if variant[
            "EnableNetworkIsolation"
        ]:  # no credentials and no address: the container can reach nothing
            inherited = {key: value for key, value in inherited.items() if not key.startswith("AWS_")}
        return {**inherited, **variant["Container"]["Environment"]}


def drain(instances: list[Instance]) -> None:
    """Wait for requests under way on instances that get no new ones, then end them."""
    deadline = time.monotonic() + DRAIN_TIMEOUT
    while any(instance.in_flight for instance in instances) and time.monotonic() < deadline:
        time.sleep(0.02)
    end_all(instances)


def end_all(instances: list[Instance]) -> None:
    """End instances at the same time, and wait for that."""
    threads = [threading.Thread(target=instance.end) for instance in instances]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
