"""List the state locks of an environment, and release those whose owner is dead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ops import console
from ops.environment import Environment
from ops.errors import OperatorError
from ops.terraform import locks, stacks
from ops.terraform.locks import Lock


@dataclass(frozen=True)
class StackLock:
    """A lock of a stack.

    stack: name, such as foundation or serving/image-classifier-dev.
    key: of the lock object.
    reason: why it must not be released; empty if its owner is dead.
    may_force: whether a person may know better.
    """

    stack: str
    key: str
    lock: Lock
    reason: str
    may_force: bool

    def as_json(self) -> dict[str, Any]:
        """Return it for --json."""
        owner = self.lock.owner
        return {
            "stack": self.stack,
            "who": self.lock.who,
            "since": self.lock.since.isoformat(timespec="seconds"),
            "command": owner.command if owner else "",
            "process": owner.process if owner else None,
            "state": self.lock.liveness,
            "kept_because": self.reason,
        }


def find(env: Environment, stack: str | None = None, endpoint: str | None = None) -> list[StackLock]:
    """Return the locks of an environment, of one stack or of one endpoint's stack.

    The lock of stack access is found by its name only: its state is not for operators.

    stack: name of a root.
    endpoint: full name of an endpoint.
    """
    names = ["access"] if stack == "access" else stacks.locked(env)
    found = []
    for name in names:
        root, _, served = name.partition("/")
        if (stack and root != stack) or (endpoint and served != endpoint):
            continue
        state = (
            stacks.access_key(env.settings)
            if name == "access"
            else f"{env.settings.environment}/{name}.tfstate"
        )
        key = f"{state}.tflock"
        if lock := locks.read(env.client("s3"), env.state_bucket, key):
            found.append(_judged(name, key, lock))
    return found


def release(env: Environment, found: Sequence[StackLock]) -> list[StackLock]:
    """Release locks. Returns those that were still there."""
    s3 = env.client("s3")
    return [item for item in found if locks.delete(s3, env.state_bucket, item.key, item.lock)]


def show(found: Sequence[StackLock]) -> None:
    """Print a table of locks."""
    columns = ["stack", "held by", "release"]
    rows = [(item.stack, item.lock, item.reason or "its command has ended") for item in found]
    console.table("State locks", columns, rows)


def kept(env: Environment, found: Sequence[StackLock]) -> str:
    """Return the sentence about locks that are not released. found: at least one."""
    names = ", ".join(f"{item.stack} ({item.lock.who or 'unknown'})" for item in found)
    remedy = (
        f" If you know that its command has ended, release it with ./inv unlock{env.settings.flag} --force."
        if any(item.may_force for item in found)
        else ""
    )
    return f"Not released: {names}. Ask the owner to stop the command with Ctrl-C or to let it end.{remedy}"


def check_force(found: Sequence[StackLock]) -> None:
    """Raise OperatorError if a command that certainly runs holds one of the locks."""
    for item in found:
        if not item.may_force:
            raise OperatorError(
                f"The lock of {item.stack} is not released: {item.reason}. Two commands that change a stack at the same time "
                "lose what one of them created: wait for the other one or stop it with Ctrl-C, then run yours again."
            )


def _judged(name: str, key: str, lock: Lock) -> StackLock:
    owner, liveness = lock.owner, lock.liveness
    if not lock.id:
        return StackLock(name, key, lock, "it is not a lock of Terraform", may_force=True)
    if owner is None:
        reason = "a plain Terraform took it: whether it still runs is not known"
        return StackLock(name, key, lock, reason, may_force=True)
    if liveness == "running":
        return StackLock(name, key, lock, "its command still runs on this machine", may_force=False)
    if liveness == "ended" and owner.terraform_runs():
        reason = "its command was killed, but its Terraform still runs on this machine and ends by itself"
        return StackLock(name, key, lock, reason, may_force=False)
    if liveness == "ended":
        return StackLock(name, key, lock, "", may_force=True)
    reason = f"whether it still runs is known only to {lock.who}"
    return StackLock(name, key, lock, reason, may_force=True)
