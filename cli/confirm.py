"""Ask before something is removed: outside `local`, for the environment's name."""

from __future__ import annotations

import sys

from ops.console import say
from ops.errors import OperatorError
from ops.settings import Settings

YES = {"yes": "do not ask for the environment's name; needed without a terminal"}


def check(settings: Settings, yes: bool, what: str) -> None:
    """Raise OperatorError if `ask` could not ask: call it before work that only prepares the question.

    what: the action for a sentence, such as "remove environment dev".
    """
    if not (settings.embedded_aws or yes or sys.stdin.isatty()):
        raise OperatorError(
            f"To {what}, the environment's name has to be typed, and there is no terminal to ask at: run the same command with --yes."
        )


def ask(settings: Settings, yes: bool, what: str) -> None:
    """Ask for the environment's name, unless it is on the embedded AWS or `--yes` was given.

    what: as of `check`.

    Raises:
        OperatorError: Another name was typed, or there is no terminal.
    """
    check(settings, yes, what)
    if settings.embedded_aws or yes:
        return
    say(f"To {what}, type the environment's name ({settings.environment}):")
    try:
        typed = input("> ").strip()
    except EOFError:
        typed = ""
    if typed != settings.environment:
        raise OperatorError(
            f"{typed!r} is not {settings.environment!r}: nothing was changed. Run the same command again to {what}."
        )
