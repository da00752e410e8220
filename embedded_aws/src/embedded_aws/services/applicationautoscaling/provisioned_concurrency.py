"""The scalable dimension of Lambda: the provisioned concurrency of an alias or a version."""

from __future__ import annotations

import threading
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.core.exceptions import JsonRESTError

from embedded_aws.services.applicationautoscaling.alarms import PROVISIONED
from embedded_aws.services.applicationautoscaling.dimension import Dimension, Finished
from embedded_aws.services.lambda_.backend import EmbeddedLambdaBackend, backend_of
from embedded_aws.services.lambda_.service import LambdaService
from embedded_aws.services.lambda_.versions import LATEST

POLL_SECONDS = 0.2  # while environments start


class ChangesInProgress:
    """Region, function and qualifier of every change that has not ended yet: the next one waits for it."""

    def __init__(self) -> None:
        self.keys: set[tuple[str, str, str]] = set()


class ProvisionedConcurrency(Dimension):
    """`lambda:function:ProvisionedConcurrency`; resources are `function:NAME:QUALIFIER`.

    The capacity may be 0. As on AWS, an idle function records no metrics.
    """

    name, capacity_name, cooldown = PROVISIONED, "concurrency", 0.0

    def check(self, resource: str) -> None:
        kind, _, rest = resource.partition(":")
        name, _, qualifier = rest.partition(":")
        if kind != "function" or not name or not qualifier or ":" in qualifier:
            raise AWSValidationException(
                f"Unsupported resource ID {resource}: use function:NAME:ALIAS or function:NAME:VERSION."
            )
        try:
            version = self._lambda.resolve(name, qualifier).function.version
        except JsonRESTError as error:
            raise AWSValidationException(f"{resource} doesn't exist: {error.message}") from error
        if version == LATEST:
            raise AWSValidationException(
                f"Provisioned concurrency needs a published version or an alias of one, not {resource}."
            )

    def is_ready(self, resource: str) -> bool:
        key = self._key(resource)
        try:
            self.check(resource)
        except AWSValidationException:
            return False  # it was deleted; as on AWS, the target stays
        if (self.region, *key) in self._changes:
            return False
        return key not in self._lambda.provisioned or self._state(key)["Status"] != "IN_PROGRESS"

    def capacity(self, resource: str) -> int:
        return int(self._lambda.provisioned.get(self._key(resource), {"requested": 0})["requested"])

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
        self.runtime.get(LambdaService).pool.changed()
        self._changes.add((self.region, *key))
        threading.Thread(target=self._follow, args=(key, count, finished), daemon=True).start()

    def _follow(self, key: tuple[str, str], count: int, finished: Finished) -> None:
        try:
            finished(self._outcome(key, count))
        finally:
            self._changes.discard((self.region, *key))

    def _outcome(self, key: tuple[str, str], count: int) -> str | None:
        """Wait until the environments are initialized. Returns the reason if that failed."""
        failed = f"Failed to set desired concurrency to {count}. Reason: "
        while count:
            if self._lambda.provisioned.get(key, {}).get("requested") != count:
                return failed + "it was changed by another request."
            try:
                state = self._state(key)
            except (KeyError, JsonRESTError):
                return failed + "the function was deleted."
            if state["Status"] == "FAILED":
                return f"{failed}{state['StatusReason']}"
            if state["Status"] == "READY":
                break
            if self.runtime.stopping.wait(POLL_SECONDS):
                return failed + "the embedded AWS was stopped."
        return None

    def _state(self, key: tuple[str, str]) -> dict[str, Any]:
        return self.runtime.get(LambdaService).provisioned(self._lambda, key)

    @property
    def _changes(self) -> set[tuple[str, str, str]]:
        return self.runtime.get(ChangesInProgress).keys

    @property
    def _lambda(self) -> EmbeddedLambdaBackend:
        return backend_of(self.region)

    @staticmethod
    def _key(resource: str) -> tuple[str, str]:
        _, name, qualifier = resource.split(":")
        return name, qualifier
