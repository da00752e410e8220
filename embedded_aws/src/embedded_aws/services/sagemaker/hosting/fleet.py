"""A running deployment: the instances of every variant of one endpoint configuration."""

from __future__ import annotations

import math
import random
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embedded_aws import child_environment
from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.hosting import variants
from embedded_aws.services.sagemaker.hosting.artifacts import prepare
from embedded_aws.services.sagemaker.hosting.disk import ModelDisk
from embedded_aws.services.sagemaker.hosting.exceptions import DeploymentFailed
from embedded_aws.services.sagemaker.hosting.instances import Instance

STARTUP_TIMEOUT = 480.0  # seconds for a container to pass its first health check, if the variant sets none
SHADOW_REQUESTS = 16  # concurrent requests per instance of a shadow variant
DRAIN_TIMEOUT = 60.0  # seconds that running requests get before their instance ends

Acquired = tuple[dict[str, Any], Instance]  # a variant and the instance that handles a request


class Fleet:
    """Starts, scales and ends the instances of a deployment, and chooses one for each request."""

    def __init__(
        self,
        runtime: Runtime,
        deployment: dict[str, Any],
        region: str,
        write_log: Callable[[str, list[str]], None],
    ):
        """Start nothing yet.

        deployment: a record with Id, EndpointConfigName and Variants. Changed weights take effect at once.
        write_log: called with a log stream and lines for it.
        """
        self.deployment = deployment
        self._runtime, self._region, self._write_log = runtime, region, write_log
        self._lock = threading.Lock()
        self._instances: dict[str, list[Instance]] = {v["VariantName"]: [] for v in variants.of(deployment)}

    @property
    def folder(self) -> Path:
        return self._runtime.folder("endpoints") / str(self.deployment["Id"])

    def launch(self) -> None:
        """Start every variant's instances and wait until they are healthy.

        Raises DeploymentFailed; the caller then ends the fleet.
        """
        launched = variants.of(self.deployment)
        self.prepare()
        for variant in launched:
            self._add(variant, variant["DesiredInstanceCount"])
        for variant in launched:
            self._await(variant, self._instances[variant["VariantName"]])

    def prepare(self) -> None:
        """Download and unpack every variant's model. Raises DeploymentFailed."""
        for variant in variants.of(self.deployment):
            disk = ModelDisk(self._runtime, self.folder / variant["VariantName"])
            prepare(self._runtime, variant, disk, self._region, self._environment)

    def scale(self, name: str, count: int) -> None:
        """Bring a variant to `count` instances. Surplus instances finish their requests first.

        Raises DeploymentFailed if a new instance is not healthy; then none is added.
        """
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
        """Keep `count` containers running. Serverless fleets only."""
        raise NotImplementedError("only serverless variants have provisioned concurrency")

    def variant(self, name: str) -> dict[str, Any]:
        """Return the record of a variant. Raises KeyError."""
        return next(v for v in variants.of(self.deployment) if v["VariantName"] == name)

    def count(self, name: str) -> int:
        """Return the number of a variant's instances."""
        return len(self._instances[name])

    def instances(self) -> dict[str, list[Instance]]:
        """Return the instances of every variant."""
        with self._lock:
            return {name: list(instances) for name, instances in self._instances.items()}

    def acquire(self, target: str | None) -> Acquired | None:
        """Choose a variant and its least busy healthy instance, or None without a healthy one.

        The instance counts one more request until `release`.

        target: the variant's name; None chooses by weight. Raises KeyError if there is no such variant.
        """
        with self._lock:
            matching = [v for v in self.deployment["Variants"] if target in (None, v["VariantName"])]
            if not matching:
                raise KeyError(target)
            candidates = [v for v in matching if any(i.healthy for i in self._instances[v["VariantName"]])]
            weights = [1.0 if target else v["CurrentWeight"] for v in candidates]
            if not any(weights):
                return None
            variant = candidates[0] if len(candidates) == 1 else random.choices(candidates, weights)[0]
            instance = self._least_busy(variant)
            return (variant, instance) if instance else None

    def acquire_shadow(self) -> Acquired | None:
        """Choose an instance of the shadow variant, or None if this request is not sampled.

        The sampling rate is the shadow variant's weight over the production variant's. A request is also left out
        while every instance is at its limit of concurrent requests.
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

    def _least_busy(self, variant: dict[str, Any], limit: float = math.inf) -> Instance | None:
        """Choose a healthy instance with the fewest requests, below `limit`, and count one more for it."""
        healthy = [i for i in self._instances[variant["VariantName"]] if i.healthy and i.in_flight < limit]
        if not healthy:
            return None
        least = min(i.in_flight for i in healthy)
        instance = random.choice([i for i in healthy if i.in_flight == least])
        instance.in_flight += 1
        return instance

    def request_metrics(self, name: str, instance: Instance) -> dict[str, float]:
        """Return the metrics of a running request that depend on the kind of fleet.

        name: of the variant.
        """
        return {"InvocationsPerInstance": 1.0 / max(1, self.count(name))}

    @property
    def memory_limit(self) -> int | None:
        """Bytes of memory for each container; None for all of this machine's."""
        return None

    def release(self, instance: Instance) -> None:
        """End a request that `acquire` or `acquire_shadow` has counted."""
        with self._lock:
            instance.in_flight -= 1

    def end(self) -> None:
        """Drain and end every instance, and delete the unpacked models."""
        with self._lock:  # `acquire` finds none from here on
            surplus = [instance for instances in self._instances.values() for instance in instances]
            self._instances = {name: [] for name in self._instances}
        drain(surplus)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _add(self, variant: dict[str, Any], count: int, serving: bool = True) -> list[Instance]:
        name = variant["VariantName"]
        added = [
            Instance(
                self._runtime,
                ModelDisk(self._runtime, self.folder / name),
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
        inherited = roles.environment(self._runtime, variant["RoleArn"], self._region)
        if variant["EnableNetworkIsolation"]:  # without credentials and endpoint URL it reaches nothing
            inherited = child_environment.without_network(inherited)
        return {**inherited, **variant["Container"]["Environment"]}


def drain(instances: list[Instance]) -> None:
    """Wait until instances that get no new requests have finished the running ones, then end them."""
    deadline = time.monotonic() + DRAIN_TIMEOUT
    while any(instance.in_flight for instance in instances) and time.monotonic() < deadline:
        time.sleep(0.02)
    end_all(instances)


def end_all(instances: list[Instance]) -> None:
    """End instances in parallel, and wait until all have ended."""
    threads = [threading.Thread(target=instance.end) for instance in instances]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
