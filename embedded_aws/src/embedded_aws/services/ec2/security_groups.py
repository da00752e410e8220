"""Security groups: descriptions of rules that moto does not keep, and dependencies between groups and VPCs."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupRule


class EmbeddedSecurityGroupRule(SecurityGroupRule):
    """moto's rule, which keeps the description of an address range only."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        prefix_list = settings.get("prefix_list_id") or (args[7] if len(args) > 7 else None) or {}
        self.prefix_list_description: str | None = prefix_list.get("Description")

    @property
    def description(self) -> str | None:
        return super().description or self.source_group.get("Description") or self.prefix_list_description


class SecurityGroupsBackend(EC2Backend):
    """moto's backend, which would delete groups and VPCs that other resources depend on."""

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        """Delete a group. Raises DependencyViolation while a rule of another group refers to it."""
        group = self.get_security_group_by_name_or_id(group_id or name or "")
        others = (
            [] if group is None else [g for g in self.groups[group.vpc_id or ""].values() if g is not group]
        )
        for rule in [rule for other in others for rule in (*other.ingress_rules, *other.egress_rules)]:
            if group is not None and rule.source_group.get("GroupId") == group.id:
                raise DependencyViolationError(f"resource {group.id} has a dependent object")
        super().delete_security_group(name, group_id)

    def delete_vpc(self, vpc_id: str) -> Any:
        """Delete a VPC. Raises DependencyViolation while it has security groups."""
        if any(group.name != "default" for group in self.groups.get(vpc_id, {}).values()):
            raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return super().delete_vpc(vpc_id)
