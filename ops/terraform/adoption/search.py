"""Search an account for what a plan would create although it exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.environment import Environment
from ops.errors import OperatorError
from ops.terraform.adoption import ec2, functions, identity, sagemaker, storage, telemetry
from ops.terraform.adoption.rules import (
    Account,
    ByName,
    Condition,
    Found,
    Listed,
    Planned,
    Recreated,
    Rule,
    in_parallel,
)
from ops.waiting import wait_for

Progress = Callable[[str], None]

WAIT_SECONDS = 1800  # an endpoint or a domain takes up to half of that

RULES: Mapping[str, Rule] = {
    **ec2.RULES,
    **functions.RULES,
    **identity.RULES,
    **sagemaker.RULES,
    **storage.RULES,
    **telemetry.RULES,
    "terraform_data": Recreated("it exists only in the state"),
}
"""How each type of resource is adopted."""


@dataclass(frozen=True)
class Import:
    """An import into the state.

    replace: the resource has failed, so Terraform deletes it and creates it again.
    unread: arguments that the import does not read, with their values.
    """

    address: str
    id: str
    replace: bool = False
    unread: Mapping[str, Any] = field(default_factory=dict)


class Search:
    """Finds this environment's resources on AWS.

    progress: called with a short text while a resource is changing.
    """

    def __init__(self, env: Environment, progress: Progress) -> None:
        self._account, self._progress = Account(env), progress

    def __call__(self, planned: Sequence[Planned]) -> list[Import]:
        """Return the imports of those planned resources that exist, once they have stopped changing.

        Raises:
            OperatorError: A resource of that name belongs to somebody else, or does not stop changing.
        """
        searched = [item for item in planned if not isinstance(RULES[item.type], Recreated)]
        listed = self._lists(searched)
        found = in_parallel(lambda item: self._find(item, listed.get(item.type)), searched)
        pairs = [(item, result) for item, result in zip(searched, found, strict=True) if result]
        for item, result in pairs:
            self._check_owner(item, result)
        settled = in_parallel(lambda pair: self._settled(*pair), pairs)
        return [_import(item, result) for (item, _), result in zip(pairs, settled, strict=True) if result]

    def _lists(self, searched: Sequence[Planned]) -> dict[str, Sequence[Any]]:
        """Return the items of each type that is found in a list."""
        rules = {item.type: RULES[item.type] for item in searched}
        lists = [(kind, rule) for kind, rule in rules.items() if isinstance(rule, Listed)]
        items = in_parallel(lambda entry: entry[1].items(self._account), lists)
        return {kind: found for (kind, _), found in zip(lists, items, strict=True)}

    def _find(self, item: Planned, listed: Sequence[Any] | None = None) -> Found | None:
        """Return the resource. listed: the items of its type, if they have been listed."""
        rule = RULES[item.type]
        if isinstance(rule, ByName):
            return rule.find(self._account, item.values)
        if isinstance(rule, Listed):
            items = rule.items(self._account) if listed is None else listed
            same = next((candidate for candidate in items if rule.matches(candidate, item.values)), None)
            return None if same is None else rule.found(same)
        return None

    def _check_owner(self, item: Planned, found: Found) -> None:
        rule = RULES[item.type]
        if found.tags is None or self._account.owns(found.tags):
            return
        if isinstance(rule, ByName) and rule.untagged and not found.tags:
            return
        owner = ", ".join(f"{key} {found.tags[key]}" for key in self._account.owner if found.tags.get(key))
        hint = (isinstance(rule, ByName) and rule.hint) or (
            "Choose another project or environment name, or delete it if nobody needs it"
        )
        raise OperatorError(
            f"{item.type} {found.name or found.id} exists and is not of this environment: its tags name "
            f"{owner or 'no project'}. {hint}, then run the command again."
        )

    def _settled(self, item: Planned, found: Found) -> Found | None:
        """Return the resource once it has stopped changing, or None if it is gone then."""
        if found.condition is not Condition.CHANGING:
            return found
        name = found.name or found.id

        def poll() -> tuple[Found | None] | None:
            now = self._find(item)
            return None if now and now.condition is Condition.CHANGING else (now,)

        return wait_for(
            poll,
            seconds=WAIT_SECONDS,
            on_wait=lambda: self._progress(f"waiting until {name} has stopped changing ({item.address})"),
            on_timeout=lambda: (
                f"{item.type} {name}, which an interrupted apply left, is still changing after "
                f"{WAIT_SECONDS // 60} minutes. Look at it in the AWS console, then run the command again."
            ),
        )[0]


def _import(item: Planned, found: Found) -> Import:
    rule = RULES[item.type]
    unread = rule.unread if isinstance(rule, ByName) else ()
    return Import(
        item.address,
        found.id,
        found.condition is Condition.FAILED,
        {name: item.values[name] for name in unread if name in item.values},
    )
