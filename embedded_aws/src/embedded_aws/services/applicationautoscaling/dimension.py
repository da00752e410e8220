"""The interface of a scalable dimension."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from embedded_aws.runtime import Runtime

Finished = Callable[[str | None], None]  # called once a change has ended, with the reason if it failed


@dataclass(frozen=True)
class Dimension(ABC):
    """A scalable dimension in one region: checks its resources, reads and changes their capacity."""

    runtime: Runtime

    account: str

    region: str

    name: ClassVar[str]

    capacity_name: ClassVar[str]
    """The capacity's name in scaling activities."""

    cooldown: ClassVar[float]
    """Seconds, unless the policy sets others."""

    @property
    def namespace(self) -> str:
        """The service namespace."""
        return self.name.partition(":")[0]

    @abstractmethod
    def check(self, resource: str) -> None:
        """Raise ValidationException unless the resource exists and can be registered."""

    def check_minimum(self, resource: str, bound: int | None) -> None:
        """Raise ValidationException for a bound below the smallest capacity that the resource can have."""
        return

    @abstractmethod
    def is_ready(self, resource: str) -> bool:
        """Return whether the resource exists and is not being changed."""

    @abstractmethod
    def capacity(self, resource: str) -> int:
        """Return the capacity that was last requested."""

    @abstractmethod
    def resize(self, resource: str, count: int, finished: Finished) -> None:
        """Request another capacity."""

    def record_idle(self, resource: str) -> None:
        """Record, every minute of the service, the metric that an idle resource would not have otherwise."""
        return
