"""What a campaign needs of the AWS account that it breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Account(Protocol):
    """An AWS account on this machine that can be stopped, copied and killed.

    home: folder with its whole state; it may be copied while the account is stopped.
    """

    home: Path

    def start(self) -> str:
        """Start it, unless it is running. Return its URL."""

    def stop(self) -> None:
        """Stop it; the state stays in `home`."""

    def kill(self) -> None:
        """Kill it with SIGKILL, as a lost network would look to its callers."""

    def destroy(self) -> None:
        """Stop it and remove `home`."""

    def variables(self) -> dict[str, str]:
        """Return the AWS_* variables of its root user."""

    def set_quota(self, service: str, name: str, value: float) -> None:
        """Set a service quota by its name."""
