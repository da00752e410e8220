"""The program behind `./inv`: invoke, with errors about the command line that say what to do next."""

import os
import select
import signal
import sys

from invoke.exceptions import ParseError
from invoke.program import Program


class Inv(Program):
    """invoke's program under our name."""

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Run a command line. Exit silently if the reader closes the output, as in `./inv --list | head -3`."""
        try:
            try:
                super().run(argv, exit)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            if _is_read():  # another pipe is broken
                raise
            # Python flushes standard output once more when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(128 + signal.SIGPIPE)

    def parse_tasks(self) -> None:
        """Parse the tasks of the command line. Raises ParseError."""
        try:
            super().parse_tasks()
        except ValueError as error:  # of int(), for an option's value
            raise ParseError(
                f"One of the options takes a number: {error}. ./inv --help TASK shows them."
            ) from error
        except ParseError as error:
            hint = "./inv --list shows the tasks, ./inv --help TASK its options."
            raise ParseError(f"{error} {hint}", context=error.context) from error


def _is_read() -> bool:
    """Return whether standard output still has a reader."""
    output = select.poll()
    output.register(sys.stdout, 0)
    return not any(events & (select.POLLERR | select.POLLHUP) for _, events in output.poll(0))


program = Inv(name="inv", binary="inv", version="1")
