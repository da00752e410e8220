"""The end of a removal: what exists and is in no state.

What the environment's commands created is removed, so that a lost state loses nothing else. What only carries the
environment's tags may be somebody's: it is listed, and removed with `--sweep`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ops.console import Step
from ops.environment import Environment
from ops.errors import OperatorError
from ops.inventory.kinds import USERS
from pipeline import leftovers
from pipeline.leftovers import Leftover

Approve = Callable[[list[Leftover]], None]
"""Called with what only carries the environment's tags, after it is shown. Raises OperatorError to refuse."""

_OF_KEPT = {"KMS alias", "KMS key", "bucket", "model package group", "role"}
"""Kinds of what `--keep` keeps: with it, only Terraform removes any of these."""


def check_state(env: Environment, keep: frozenset[str]) -> None:
    """Show what exists although the foundation has no state. Raises OperatorError if a part of it is to be kept."""
    with Step("without state") as step:
        found = [item for item in leftovers.find(env, step) if item.managed]
        step.note = f"{len(found)} resources of this environment" if found else "none of this environment"
    if found and keep:
        raise OperatorError(
            f"The Terraform state of {env.settings.environment} is lost, so that --keep {','.join(sorted(keep))} cannot "
            f"tell what to keep: run ./inv up{env.settings.flag}, which adopts what exists, then the same command again."
        )
    if found:
        leftovers.show(f"Without a Terraform state, to be removed from {env.settings.environment}", found)


def remove_users(env: Environment) -> None:
    """Remove endpoints, functions, hosts and jobs that are in no state: they use the foundation, which goes next."""
    with Step("orphans") as step:
        found = [item for item in leftovers.find(env, step, USERS) if item.managed]
        left = leftovers.remove(env, found, step)
        step.note = f"{len(found) - len(left)} resources in no state removed" if found else "none"
    _refuse(env, left)


def remove_rest(env: Environment, kept: Collection[str], approve: Approve | None) -> None:
    """Remove what the environment's commands created and is in no state; with `approve`, also what has its tags.

    kept: IDs, names and ARNs of what stays.

    Raises:
        OperatorError: Something is left.
    """
    with Step("leftovers") as step:
        found = [item for item in leftovers.find(env, step) if not _is_kept(item, kept)]
        step.note = (
            f"{len(found)} resources"
            if found
            else "none (a deleted KMS key is pending deletion, free of charge)"
        )
    chosen = [item for item in found if item.managed and not (kept and item.kind in _OF_KEPT)]
    others = [item for item in found if item not in chosen]
    if others and approve:
        leftovers.show("Not created by this repository, or with data", others)
        approve(others)
        chosen, others = found, []  # at once: they may use each other
    left: list[Leftover] = []
    if chosen:
        with Step("sweep") as step:
            left = leftovers.remove(env, chosen, step)
            others = leftovers.look_again(others)  # without what went with its owner
            step.note = f"{len(chosen) - len(left)} of {len(found)} resources removed"
    _refuse(env, [*left, *others])


def _refuse(env: Environment, left: list[Leftover]) -> None:
    """Show what is left. Raises OperatorError if there is anything."""
    if not left:
        return
    leftovers.show("Leftovers", left)
    flag, tried = env.settings.flag, [item for item in left if item.reason]
    if tried:
        raise OperatorError(
            f"{len(left)} resources are left ({leftovers.cost(left)}): the lines above say why. Correct that, then run "
            f"./inv down{flag} again."
        )
    raise OperatorError(
        f"{len(left)} resources are left that this repository did not create, or that hold data ({leftovers.cost(left)}): "
        f"./inv down{flag} --sweep deletes them after showing them."
    )


def _is_kept(item: Leftover, kept: Collection[str]) -> bool:
    own = {item.name, item.arn, item.found.resource.id if item.found else ""} - {""}
    return any(name in kept for name in own)
