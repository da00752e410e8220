"""EC2: descriptions of security group rules that name a group or a prefix list, which moto forgets."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import security_groups
from moto.ec2.models.security_groups import SecurityGroupRule


class LocalSecurityGroupRule(SecurityGroupRule):
    """moto's rule, which describes itself by its address range alone. Pickled with moto's state."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        prefix_list = settings.get("prefix_list_id") or (args[7] if len(args) > 7 else None) or {}
        self.of_prefix_list: str | None = prefix_list.get("Description")

    @property
    def description(self) -> str | None:
        return super().description or self.source_group.get("Description") or self.of_prefix_list


def install() -> None:
    """Make every rule one of ours."""
    security_groups.SecurityGroupRule = LocalSecurityGroupRule  # type: ignore[misc]
