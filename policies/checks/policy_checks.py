"""Custom checks for checkov's `json` framework, one per rule.

checkov -d policies --framework json --external-checks-dir policies/checks --skip-path policies/checks
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import policy_rules
from checkov.common.models.enums import CheckCategories, CheckResult
from checkov.json_doc.base_json_check import BaseJsonCheck
from checkov.json_doc.enums import BlockType

SEPARATOR = " | "
"""Separates the name of a check from each of its messages, as a record of checkov has no other place for them."""


class PolicyCheck(BaseJsonCheck):
    """A check for one rule. A document without statements is not a policy: UNKNOWN."""

    def __init__(self, number: int, title: str, rule: Callable[[dict], Iterable[policy_rules.Problem]]):
        self.title, self.rule = title, rule
        super().__init__(
            name=title,
            id=f"CKV_POLICY_{number}",
            categories=[CheckCategories.IAM],
            supported_entities=["*"],
            block_type=BlockType.DOCUMENT,
        )

    def scan_entity_conf(self, conf: dict, entity_type: str) -> CheckResult:
        """Return whether a document passes."""
        if not isinstance(conf, dict) or "Statement" not in conf:
            return CheckResult.UNKNOWN
        problems = [f"{sid}: {text}" for sid, text in self.rule(conf)]
        self.name = SEPARATOR.join([self.title, *problems])
        return CheckResult.FAILED if problems else CheckResult.PASSED


PolicyCheck(1, "Allow no action by a wildcard", policy_rules.wildcard_actions)
PolicyCheck(2, "Allow nothing by exclusion", policy_rules.negated_elements)
PolicyCheck(3, "Pass named roles to named services only", policy_rules.open_pass_role)
PolicyCheck(4, "Allow named principals only", policy_rules.open_principals)
PolicyCheck(5, "Name actions that AWS has", policy_rules.unknown_actions)
PolicyCheck(6, "Name resources that the actions apply to", policy_rules.misfit_resources)
