"""The stages of an environment's life, each a command that a user types, in order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A stage.

    name: for the table.
    command: what a user types after `./inv`, without the environment.
    plans: commands whose plans must be empty after it.
    """

    name: str
    command: tuple[str, ...]
    plans: tuple[tuple[str, ...], ...] = ()


_PLAN_FOUNDATION = ("plan", "--stack", "foundation")
_PLAN_SERVING = ("plan", "--stack", "serving")

ACCESS = Stage("access", ("apply", "--stack", "access"))
FOUNDATION = Stage("foundation", ("apply", "--stack", "foundation"), (_PLAN_FOUNDATION,))
DATA = Stage("data", ("data",))
TUNE = Stage("tune", ("tune",))
TRAIN = Stage("train", ("train",))
DEPLOY = Stage("deploy", ("deploy",), (("plan",),))
SECOND = Stage(
    "second endpoint", ("deploy", "--endpoint", "second"), ((*_PLAN_SERVING, "--endpoint", "second"),)
)
DOWN = Stage("down", ("down", "--yes"))
STATUS = Stage("status", ("status",))
PREDICT = Stage("predict", ("predict",))
ROLLBACK = Stage("rollback", ("rollback",))
UP = Stage("up", ("up",), (("plan",),))  # all of them up to DEPLOY

ORDER = (ACCESS, FOUNDATION, DATA, TUNE, TRAIN, DEPLOY, SECOND, DOWN)


def before(stage: Stage) -> Stage | None:
    """Return the stage before one; None for the first. `up` begins after stack access."""
    index = ORDER.index(FOUNDATION if stage == UP else stage)
    return ORDER[index - 1] if index else None
