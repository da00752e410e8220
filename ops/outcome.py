"""How a stage or a command ended: one of a few outcomes, with a reason, and the exit status that follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from ops.errors import OperatorError, Refused


class Outcome(str, Enum):
    """How a stage ended.

    DONE: it did what was asked.
    UNCHANGED: there was nothing to do.
    DEGRADED: it ended, and something is missing or worse than asked for.
    REFUSED: a check said no before the stage changed anything.
    FAILED: it began and did not end well.
    NOT_RUN: an earlier stage left nothing to run it with.
    """

    DONE = "done"
    UNCHANGED = "unchanged"
    DEGRADED = "degraded"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_RUN = "not run"

    def __str__(self) -> str:
        return self.value

    @property
    def exit_status(self) -> int:
        """The exit status of a command with this outcome: 0 if all is well, 3 if degraded, else 1."""
        return _EXIT_STATUS.get(self, 1)


_EXIT_STATUS = {Outcome.DONE: 0, Outcome.UNCHANGED: 0, Outcome.DEGRADED: 3}
_BEST_FIRST = (Outcome.UNCHANGED, Outcome.DONE, Outcome.DEGRADED, Outcome.REFUSED, Outcome.FAILED)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of a command from those of its stages. A stage that did not run has its cause in another one."""
    ran = [outcome for outcome in outcomes if outcome is not Outcome.NOT_RUN]
    return max(ran, key=_BEST_FIRST.index, default=Outcome.UNCHANGED)


def of_error(error: BaseException) -> Outcome:
    """Return the outcome of what an error has ended.

    Refused is what a check has said, and what was wrong before a stage began, such as an option. AWS's and the network's
    errors are failures.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    if isinstance(error, Refused):
        return Outcome.REFUSED
    begun = not isinstance(error, OperatorError) or error.in_stage
    by_aws = isinstance(error.__cause__, (BotoCoreError, ClientError))
    return Outcome.FAILED if begun or by_aws else Outcome.REFUSED
