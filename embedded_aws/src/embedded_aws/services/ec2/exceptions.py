"""EC2's errors, with AWS's codes and messages."""

from __future__ import annotations

from moto.ec2.exceptions import EC2ClientError


class IncorrectInstanceState(EC2ClientError):
    """The state of an instance does not allow a change."""

    def __init__(self, instance_id: str, verb: str) -> None:
        """verb: the change as a participle, e.g. "stopped"."""
        code = "IncorrectState" if verb == "rebooted" else "IncorrectInstanceState"
        super().__init__(code, f"The instance '{instance_id}' is not in a state from which it can be {verb}.")


class StopOfSpotInstance(EC2ClientError):
    """A Spot Instance of a one-time request cannot be stopped."""

    def __init__(self, instance_id: str) -> None:
        super().__init__(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{instance_id}' because it is associated with a one-time Spot Instance "
            "request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
        )


class InvalidUserData(EC2ClientError):
    """The user data of RunInstances is not valid."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidParameterValue", message)
