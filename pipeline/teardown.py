"""Remove an environment, or one stack of it, in the order that its dependencies require.

Nothing is removed before the locks of all stacks are held and all destructions are planned. Data and models go last: a
failure before leaves them untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ml.jobs import running
from ops import bucket, console
from ops.console import Step
from ops.environment import Environment
from ops.errors import OperatorError
from ops.outputs import endpoint_name
from ops.terraform import dependencies, stacks, state_bucket
from ops.terraform.stack import Plan
from pipeline import cleanup, live_checks, removal, sweep
from pipeline.removal import PlannedStack, Removal
from pipeline.workbench import workbench

ON_DEMAND = {"training_host": "./inv ec2.down", "workbench": "./inv workbench.down"}
"""Stacks that are created on demand, and the task that removes each."""

Approve = Callable[[Removal], None]
"""Called with what is to be removed, before anything is. Raises OperatorError to refuse."""


def down(
    env: Environment,
    keep: frozenset[str] = frozenset(),
    approve: Approve = lambda planned: None,
    approve_sweep: sweep.Approve | None = None,
) -> list[str]:
    """Remove everything of an environment but what `keep` names, then look for leftovers. Returns what is kept.

    What is in no state, because it is lost, is removed by its names and tags.

    keep: of `removal.KEEP`.
    approve_sweep: also remove what only carries the environment's tags, once this approves it.

    Raises:
        OperatorError: Somebody else holds a lock, a removal failed, or something is left.
    """
    _check_protection(env, keep)
    with ExitStack() as held:
        planned = removal.prepare(env, _names(env), keep, held)
        if not _has_state(planned):
            sweep.check_state(env, keep)
        approve(planned)
        _stop_jobs(env)
        for name, stack in planned.stacks.items():
            if name != "foundation":
                _remove_stack(env, stack)
        if _has_state(planned):
            sweep.remove_users(env)
        kept = _remove_foundation(env, planned)
        sweep.remove_rest(env, kept, approve_sweep)
        if not kept and planned.stacks:  # the locks are held
            cleanup.delete_states(env)
    if kept:
        contents = bucket.contents(env, env.data_bucket)
        console.say(f"Kept: {removal.kept_cost(planned, contents)}.")
        console.say(f"./inv up{env.settings.flag} uses it again; ./inv down{env.settings.flag} removes it.")
    else:
        cleanup.delete_state_bucket(env)
    return sorted(keep if kept else ())


def destroy(
    env: Environment,
    chosen: Sequence[str] = ("serving", "foundation"),
    endpoint: str | None = None,
    approve: Approve = lambda planned: None,
) -> dict[str, list[str]]:
    """Destroy stacks. Returns the addresses of the removed resources, by stack.

    chosen: names of stacks.
    endpoint: which endpoint's stack serving; by default the environment's first endpoint.

    Raises:
        OperatorError: Another stack still needs one of them, somebody else holds a lock, or a removal failed.
    """
    full_name = endpoint_name(env.settings, endpoint)
    if "foundation" in chosen:
        _check_protection(env)
        check_foundation(env, removed=[full_name] if "serving" in chosen else [])
    if "access" in chosen:
        check_access(env)
    by_stack = {f"serving/{full_name}" if name == "serving" else name: name for name in chosen}
    names = list(by_stack) if state_bucket.exists(env) else []
    with ExitStack() as held:
        planned = removal.prepare(env, names, frozenset(), held, data="foundation" in chosen)
        approve(planned)
        for name, stack in planned.stacks.items():
            if name == "foundation":
                _stop_jobs(env)
                _remove_foundation(env, planned)
            else:
                _remove_stack(env, stack)
        if "access" in chosen:
            cleanup.delete_states(env, access=True)
    if "access" in chosen:
        cleanup.delete_state_bucket(env, access=True)
    found = {
        name: planned.stacks[stack].plan.changes
        for stack, name in by_stack.items()
        if stack in planned.stacks
    }
    return {name: [change.address for change in found.get(name, ())] for name in chosen}


def check_foundation(env: Environment, removed: Sequence[str]) -> None:
    """Raise OperatorError unless the foundation can be destroyed after the stacks `removed`.

    removed: names of endpoints, `training_host`, `workbench`.
    """
    settings = env.settings
    others = [name.removeprefix("serving/") for name in stacks.deployed(env) if name != "foundation"]
    if needed := [name for name in others if name not in removed]:
        flag = settings.flag
        endpoints = (
            [f"./inv destroy{flag} --stack serving --endpoint NAME"] if set(needed) - set(ON_DEMAND) else []
        )
        first = endpoints + [f"{ON_DEMAND[name]}{flag}" for name in needed if name in ON_DEMAND]
        raise OperatorError(
            f"The foundation of {settings.environment} is still used by {', '.join(needed)}: run ./inv down{flag} to "
            f"remove everything, or first {' and '.join(first)}."
        )


def check_access(env: Environment) -> None:
    """Raise OperatorError if other stacks exist: their roles have the permissions boundary of stack access."""
    if deployed := stacks.deployed(env):
        raise OperatorError(
            f"The roles of {', '.join(deployed)} use the boundary of stack access: run ./inv down{env.settings.flag} first."
        )


def _has_state(planned: Removal) -> bool:
    """Return whether the state of the foundation has resources."""
    return "foundation" in planned.stacks and bool(planned.stacks["foundation"].plan.changes)


def _check_protection(env: Environment, keep: frozenset[str] = frozenset()) -> None:
    """Raise OperatorError if the settings protect the data, and there is any."""
    settings = env.settings
    protected = not settings.storage.force_destroy and "data" not in keep
    if protected and bucket.holds_anything(env, env.data_bucket):
        raise OperatorError(
            f"The bucket {env.data_bucket} holds data and models, and environments/{settings.environment}.toml protects "
            "them: keep them with ./inv down --keep data,models, or set force_destroy = true under [storage] and run the "
            "same command again to delete them."
        )


def _names(env: Environment) -> list[str]:
    """Return the stacks to remove, in the order of their removal.

    A locked stack counts: somebody may be creating it. The foundation counts as soon as there is a place for states: its
    lock keeps others from creating anything meanwhile.
    """
    if not state_bucket.exists(env):
        return []
    found = {*stacks.deployed(env), *stacks.locked(env)} - {"foundation"}
    first = [name for name in ON_DEMAND if name in found]
    return [*first, *sorted(found - set(first)), "foundation"]


def _stop_jobs(env: Environment) -> None:
    with Step("jobs") as step:
        step.note = f"{len(running.stop_all(env, step))} stopped"


def _remove_stack(env: Environment, planned: PlannedStack) -> None:
    """Remove any stack but the foundation."""
    kind, _, endpoint = planned.name.partition("/")
    with Step(kind.replace("_", " ")) as step:
        planned.stack.progress = step
        if kind == "serving":
            live_checks.wait_until_stable(env, endpoint, step)  # SageMaker refuses to delete it before
            _apply(planned)
            live_checks.wait_until_deleted(env, endpoint, step)
        elif kind == "workbench":
            workbench.remove(env, step, lambda: _apply(planned))
        else:
            _apply(planned)
        prefix = f"{endpoint}: " if endpoint else ""
        step.note = f"{prefix}{len(planned.plan.changes)} resources removed"


def _apply(planned: PlannedStack) -> None:
    if planned.plan.changes:
        planned.stack.apply(planned.plan)


def _remove_foundation(env: Environment, planned: Removal) -> frozenset[str]:
    """Remove the foundation: first what holds no data, then models, objects, and what holds them.

    Returns the IDs, names and ARNs of the resources that are kept.
    """
    found = planned.stacks.get("foundation")
    if found is None or not found.plan.changes:
        return frozenset()
    stack = found.stack
    with Step("foundation") as step:
        stack.progress = step
        if found.early is None:
            _apply(found)
            env.outputs.forget()
            step.note = f"{len(found.plan.changes)} resources removed"
            return frozenset()
        if found.early.changes:
            stack.apply(found.early)
            env.outputs.forget()
        step.note = f"{len(found.early.changes)} resources removed"
    with Step("data") as step:
        stack.progress = step
        late = _plan_late(planned, found)
        deleted = _delete_data(env, planned, step)
        if late.changes:
            stack.apply(late)
        step.note = f"{deleted}{len(late.changes)} resources removed"
    return dependencies.identifiers(removal.state(stack)) if planned.keep else frozenset()


def _plan_late(planned: Removal, found: PlannedStack) -> Plan:
    """Plan the destruction of what is left of the foundation, without what is kept."""
    if not planned.keep:
        return found.stack.plan(destroy=True)
    kept = dependencies.needed(removal.state(found.stack), planned.kept_addresses)
    early = {change.address for change in found.early.changes} if found.early else set()
    targets = [
        change.address
        for change in found.plan.changes
        if change.address not in early and dependencies.configuration_address(change.address) not in kept
    ]
    # Without a target Terraform would destroy everything.
    return found.stack.plan(destroy=True, targets=targets) if targets else Plan(found.plan.file, ())


def _delete_data(env: Environment, planned: Removal, step: Step) -> str:
    """Delete model versions and objects, but what is kept. Returns how many, for the step's note."""
    keep, texts = planned.keep, []
    if "data" not in keep:
        kept = cleanup.model_objects(env) if "models" in keep else frozenset()
        # Terraform would decide by the force_destroy of its last apply, not by the current settings, and slowly.
        deleted = bucket.empty(
            env,
            env.data_bucket,
            chosen=lambda key: key not in kept,
            expected=planned.contents.versions,
            progress=step,
        )
        texts.append(f"{deleted:,} object versions, ")
    if "models" not in keep:
        texts.insert(0, f"{cleanup.delete_models(env, step):,} model versions, ")
    return "".join(texts)
