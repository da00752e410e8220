"""The record of an instance: moto's, with a state that follows the instance's processes."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any

from moto.ec2.models.instances import Instance, InstanceState, StateReason
from moto.iam.models import InstanceProfile

from embedded_aws import ACCOUNT_ID
from embedded_aws.services.events import bus

STATES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}
USER = ("Client.UserInitiatedShutdown", "User initiated shutdown")


class EmbeddedInstance(Instance):
    """moto's instance. One that RunInstances created is `hosted`: it runs as processes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.hosted = self.booted = False
        self.interruption = ""  # when a Spot Instance will be reclaimed (ISO 8601); empty without a notice
        self.spot_instance_request_id: str | None = None
        super().__init__(*args, **kwargs)
        if not self.security_groups:  # the request names them with the network interface, or not at all
            self.security_groups = list(self.nics[0]._group_set)

    @property
    def spot(self) -> bool:
        return self.lifecycle == "spot"

    def profile(self) -> InstanceProfile | None:
        """Return the instance profile that is associated now."""
        association = self.ec2_backend.iam_instance_profile_associations.get(self.id)
        return association.iam_instance_profile if association else None

    def move(self, state: str) -> InstanceState:
        """Enter a state. Returns the previous one."""
        previous = copy.copy(self._state)
        self._state.name, self._state.code = state, STATES[state]
        self._emit_state()
        return previous

    def emit_interruption_warning(self) -> None:
        """Send EventBridge the interruption notice of a Spot Instance."""
        arn = f"arn:aws:ec2:{self.availability_zone}:instance/{self.id}"  # AWS's format in this event
        detail = {"instance-id": self.id, "instance-action": "terminate"}
        bus.emit(self.region_name, "aws.ec2", "EC2 Spot Instance Interruption Warning", [arn], detail)

    def set_reason(self, reason: tuple[str, str]) -> None:
        """Record why it stops. reason: (code, message) of StateReason."""
        code, message = reason
        self.state_reason = StateReason(f"{code}: {message}", code)

    def start(self) -> InstanceState:
        return self._controller.start(self) if self.hosted else super().start()

    def stop(self) -> InstanceState:
        return self._controller.stop(self, USER) if self.hosted else super().stop()

    def terminate(self) -> InstanceState:
        return self._controller.terminate(self, USER) if self.hosted else super().terminate()

    def reboot(self) -> None:
        self._controller.reboot(self) if self.hosted else super().reboot()

    def record_start(self) -> None:
        """Apply moto's changes of a start, and enter the state pending."""
        super().start()
        self.move("pending")

    def record_end(self, reason: tuple[str, str], terminated: bool) -> None:
        """Apply moto's changes of a stop or termination, once no process is left."""
        super().terminate() if terminated else super().stop()
        self.set_reason(reason)
        self._emit_state()

    @property
    def _controller(self) -> InstanceController:
        return self.ec2_backend.runtime.get(InstanceController)  # type: ignore[no-any-return]

    def _emit_state(self) -> None:
        arn = f"arn:aws:ec2:{self.region_name}:{ACCOUNT_ID}:instance/{self.id}"
        detail = {"instance-id": self.id, "state": self.state}
        bus.emit(self.region_name, "aws.ec2", "EC2 Instance State-change Notification", [arn], detail)


class InstanceController(ABC):
    """Changes the state of instances and of their processes. `runtime.get(InstanceController)` returns it."""

    @abstractmethod
    def start(self, instance: EmbeddedInstance) -> InstanceState:
        """Start a stopped instance. Returns the previous state. Raises IncorrectInstanceState."""

    @abstractmethod
    def stop(self, instance: EmbeddedInstance, reason: tuple[str, str]) -> InstanceState:
        """Stop an instance. Returns the previous state. Raises IncorrectInstanceState, StopOfSpotInstance."""

    @abstractmethod
    def terminate(self, instance: EmbeddedInstance, reason: tuple[str, str]) -> InstanceState:
        """Terminate an instance. Returns the previous state."""

    @abstractmethod
    def reboot(self, instance: EmbeddedInstance) -> None:
        """Reboot an instance. Raises IncorrectInstanceState."""
