"""What is scaled: instances of endpoint variants, and provisioned concurrency of functions."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.core.exceptions import JsonRESTError
from moto.sagemaker.models import sagemaker_backends

from embedded_aws.services.applicationautoscaling.alarms import PROVISIONED, VARIANT
from embedded_aws.services.lambda_ import service as functions
from embedded_aws.services.lambda_.backend import LATEST, EmbeddedLambdaBackend
from embedded_aws.services.sagemaker.hosting import metrics, variants

POLL_SECONDS = 0.2  # while environments start

Finished = Callable[[str | None], None]  # is told once a change is done, or why it failed


@dataclass(frozen=True)
class Dimension(ABC):
    """A scalable dimension in one region: what its resources are, how many of what they have, and how to change it.

    what: the capacity, as activities call it. cooldown: seconds, if a policy does not say.
    """

    account: str
    region: str

    name: ClassVar[str]
    what: ClassVar[str]
    cooldown: ClassVar[float]

    @property
    def namespace(self) -> str:
        return self.name.partition(":")[0]

    @abstractmethod
    def check(self, resource: str) -> None:
        """Raises ValidationException unless the resource exists and may be registered."""

    def check_least(self, resource: str, bound: int | None) -> None:
        """Raises ValidationException for a capacity, if any, that is less than the resource may have."""
        return

    @abstractmethod
    def ready(self, resource: str) -> bool:
        """Whether the resource exists and no change of it is under way."""

    @abstractmethod
    def capacity(self, resource: str) -> int:
        """What the resource has been asked to have."""

    @abstractmethod
    def resize(self, resource: str, count: int, finished: Finished) -> None:
        """Ask for another capacity."""

    def idle(self, resource: str) -> None:
        """Every minute of the service: record what shows that nothing was asked of the resource."""
        return


class VariantInstances(Dimension):
    name, what, cooldown = VARIANT, "instance count", 300.0

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

    def check_least(self, resource: str, bound: int | None) -> None:
        if bound == 0 and not self._asynchronous(resource):
            raise AWSValidationException(
                f"The capacity of {resource} must be at least 1: only asynchronous endpoints scale to 0 instances."
            )

    def ready(self, resource: str) -> bool:
        endpoint = self._sagemaker.hosted_endpoints.get(resource.split("/")[1])
        return endpoint is not None and endpoint["EndpointStatus"] == "InService"

    def capacity(self, resource: str) -> int:
        return self._variant(resource)["DesiredInstanceCount"]

    def resize(self, resource: str, count: int, finished: Finished) -> None:
        _, endpoint, _, variant = resource.split("/")
        wanted = {"VariantName": variant, "DesiredInstanceCount": count}
        self._sagemaker.resize_hosted_endpoint(endpoint, [wanted], finished)

    def idle(self, resource: str) -> None:
        if self._asynchronous(resource):  # it has other metrics
            return
        # Without a value its alarm would never go low.
        _, endpoint, _, variant = resource.split("/")
        metrics.record((self.account, self.region, endpoint), variant, {"InvocationsPerInstance": 0.0})

    @property
    def _sagemaker(self) -> Any:
        return sagemaker_backends[self.account][self.region]

    def _asynchronous(self, resource: str) -> bool:
        endpoint = self._sagemaker.hosted_endpoints.get(resource.split("/")[1], {})
        return bool((endpoint.get("Deployed") or {}).get("AsyncInferenceConfig"))

    def _variant(self, resource: str) -> dict[str, Any]:
        """The deployed variant of a resource ID. Raises ValidationException if there is none."""
        parts = resource.split("/")
        if len(parts) == 4 and (parts[0], parts[2]) == ("endpoint", "variant"):
            endpoint = self._sagemaker.hosted_endpoints.get(parts[1], {})
            for variant in variants.of(endpoint.get("Deployed") or {"Variants": []}):
                if variant["VariantName"] == parts[3]:
                    return variant
        raise AWSValidationException(
            f"SageMaker endpoint variant doesn't exist or is not in service: {resource}"
        )


class ProvisionedConcurrency(Dimension):
    """Of an alias or a version. None at all is a capacity too; an idle function records nothing, as on AWS."""

    name, what, cooldown = PROVISIONED, "concurrency", 0.0
    _changing: ClassVar[set[tuple[str, ...]]] = set()  # so that one change ends before the next begins

    def check(self, resource: str) -> None:
        kind, _, rest = resource.partition(":")
        name, _, qualifier = rest.partition(":")
        if kind != "function" or not name or not qualifier or ":" in qualifier:
            raise AWSValidationException(
                f"Unsupported resource ID {resource}: it is function:NAME:ALIAS or function:NAME:VERSION."
            )
        try:
            version = self._lambda.resolve(name, qualifier).function.version
        except JsonRESTError as error:
            raise AWSValidationException(f"{resource} doesn't exist: {error.message}") from error
        if version == LATEST:
            raise AWSValidationException(
                f"Provisioned concurrency is for published versions and their aliases only, not {resource}."
            )

    def ready(self, resource: str) -> bool:
        key = self._key(resource)
        try:
            self.check(resource)
        except AWSValidationException:
            return False  # deleted meanwhile; the target outlives it, as on AWS
        if (self.region, *key) in self._changing:
            return False
        return key not in self._lambda.provisioned or self._state(key)["Status"] != "IN_PROGRESS"

    def capacity(self, resource: str) -> int:
        return self._lambda.provisioned.get(self._key(resource), {"requested": 0})["requested"]

    def resize(self, resource: str, count: int, finished: Finished) -> None:
        key = self._key(resource)
        try:
            if count:
                self._lambda.put_provisioned(*key, count)
            else:
                self._lambda.provisioned.pop(key, None)
        except JsonRESTError as error:
            finished(f"Failed to set desired concurrency to {count}. Reason: {error.message}")
            return
        functions.current().pool.changed()
        self._changing.add((self.region, *key))
        threading.Thread(target=self._follow, args=(key, count, finished), daemon=True).start()

    def _follow(self, key: tuple[str, str], count: int, finished: Finished) -> None:
        try:
            finished(self._outcome(key, count))
        finally:
            self._changing.discard((self.region, *key))

    def _outcome(self, key: tuple[str, str], count: int) -> str | None:
        """Wait until Lambda has what was asked for. Returns why it never will, if it has been told otherwise."""
        failed = f"Failed to set desired concurrency to {count}. Reason: "
        while count:
            if self._lambda.provisioned.get(key, {}).get("requested") != count:
                return failed + "it was changed meanwhile."
            try:
                state = self._state(key)
            except (KeyError, JsonRESTError):
                return failed + "the function was deleted meanwhile."
            if state["Status"] == "FAILED":
                return failed + state["StatusReason"]
            if state["Status"] == "READY":
                break
            if functions.current().runtime.stopping.wait(POLL_SECONDS):
                return failed + "the embedded AWS was stopped."
        return None

    def _state(self, key: tuple[str, str]) -> dict[str, Any]:
        return functions.current().provisioned(self._lambda, key)

    @property
    def _lambda(self) -> EmbeddedLambdaBackend:
        return functions.current().backend(self.region)

    @staticmethod
    def _key(resource: str) -> tuple[str, str]:
        _, name, qualifier = resource.split(":")
        return name, qualifier


KINDS: dict[str, type[Dimension]] = {kind.name: kind for kind in (VariantInstances, ProvisionedConcurrency)}


def of(account: str, region: str, name: str) -> Dimension | None:
    """The scalable dimension of that name; None for those of other services, which are recorded only."""
    return KINDS[name](account, region) if name in KINDS else None
