"""EC2's records: moto's instances and backend, with states that follow the processes."""

from __future__ import annotations

import copy
from typing import Any

from moto.ec2 import urls
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.instances import Instance, InstanceState, StateReason
from moto.iam.models import InstanceProfile

from embedded_aws import ACCOUNT_ID
from embedded_aws.services.ec2 import images
from embedded_aws.services.ec2.security_groups import SecurityGroupsBackend
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


class IncorrectInstanceState(EC2ClientError):
    """AWS's answer to a change that the state does not allow."""

    def __init__(self, instance: EmbeddedInstance, verb: str) -> None:
        code = "IncorrectState" if verb == "rebooted" else "IncorrectInstanceState"
        super().__init__(code, f"The instance '{instance.id}' is not in a state from which it can be {verb}.")


class UnsupportedOperation(EC2ClientError):
    """AWS's answer to stopping a Spot Instance of a one-time request."""

    def __init__(self, instance: EmbeddedInstance) -> None:
        super().__init__(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot Instance "
            "request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
        )


class EmbeddedInstance(Instance):
    """moto's instance; one that RunInstances made is `hosted`: its processes are what its state tells of.

    interruption: when a Spot Instance will be reclaimed, once it has its notice; else empty.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.hosted = self.booted = False
        self.interruption = ""
        self.spot_instance_request_id: str | None = None
        super().__init__(*args, **kwargs)
        if not self.security_groups:  # given with the network interface, or the default one
            self.security_groups = list(self.nics[0]._group_set)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Of a state saved before instances ran: moto's fields alone."""
        defaults = {"hosted": False, "booted": False, "interruption": "", "spot_instance_request_id": None}
        self.__dict__.update(defaults | state)

    @property
    def spot(self) -> bool:
        return self.lifecycle == "spot"

    def profile(self) -> InstanceProfile | None:
        """The instance profile that it has now."""
        association = self.ec2_backend.iam_instance_profile_associations.get(self.id)
        return association.iam_instance_profile if association else None

    def move(self, state: str) -> InstanceState:
        """Enter a state. Returns the one before."""
        previous = copy.copy(self._state)
        self._state.name, self._state.code = state, STATES[state]
        self._tell()
        return previous

    def _tell(self) -> None:
        arn = f"arn:aws:ec2:{self.region_name}:{ACCOUNT_ID}:instance/{self.id}"
        detail = {"instance-id": self.id, "state": self.state}
        bus.emit(self.region_name, "aws.ec2", "EC2 Instance State-change Notification", [arn], detail)

    def warn(self) -> None:
        """Tell EventBridge of the notice that a Spot Instance has."""
        arn = f"arn:aws:ec2:{self.availability_zone}:instance/{self.id}"  # AWS writes it so here
        detail = {"instance-id": self.id, "instance-action": "terminate"}
        bus.emit(self.region_name, "aws.ec2", "EC2 Spot Instance Interruption Warning", [arn], detail)

    def because(self, reason: tuple[str, str]) -> None:
        """Record why it stopped: (code, message) of StateReason."""
        code, message = reason
        self.state_reason = StateReason(f"{code}: {message}", code)

    def start(self) -> InstanceState:
        if not self.hosted:
            return super().start()
        from embedded_aws.services.ec2.service import current

        return current().start(self)

    def stop(self) -> InstanceState:
        if not self.hosted:
            return super().stop()
        from embedded_aws.services.ec2.service import current

        return current().stop(self, USER)

    def terminate(self) -> InstanceState:
        if not self.hosted:
            return super().terminate()
        from embedded_aws.services.ec2.service import current

        return current().terminate(self, USER)

    def reboot(self) -> None:
        if not self.hosted:
            return super().reboot()
        from embedded_aws.services.ec2.service import current

        current().reboot(self)

    def started(self) -> None:
        """moto's own doings of a start; it is pending then."""
        super().start()
        self.move("pending")

    def ended(self, reason: tuple[str, str], terminated: bool) -> None:
        """moto's own doings of a stop or termination, once no process is left."""
        super().terminate() if terminated else super().stop()
        self.because(reason)
        self._tell()


class EmbeddedEC2Backend(SecurityGroupsBackend):
    """moto's backend, with the Deep Learning AMIs."""

    _url_module = urls  # moto derives it from __module__ otherwise

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        images.add_to(self)
