"""The program behind `./inv`: invoke, with errors about the command line that say what to do next."""

import errno
import os
import select
import signal
import sys
from typing import NoReturn

from invoke.config import Config
from invoke.exceptions import ParseError
from invoke.program import Program


class CommandLineOnly(Config):
    """invoke's configuration without that of its own variables INVOKE_* and files such as ~/.invoke.yaml."""

    def load_base_conf_files(self) -> None:
        """Load no file of the system or the user."""

    def load_shell_env(self) -> None:
        """Load no variable."""
        self.merge()

    def set_runtime_path(self, path: "os.PathLike[str] | None") -> None:
        """Set the file of option --config. The one of INVOKE_RUNTIME_CONFIG is not loaded."""
        named = os.environ.get("INVOKE_RUNTIME_CONFIG")
        super().set_runtime_path(None if path is None or str(path) == named else path)


class Inv(Program):
    """invoke's program under our name."""

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Run a command line. Exit silently if nobody can read the output: its reader has closed it, as in
        `./inv --list | head -3`, or the terminal is gone."""
        try:
            try:
                super().run(argv, exit)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            if _is_read():  # another pipe is broken
                raise
            _exit_silently(signal.SIGPIPE)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            _exit_silently(signal.SIGHUP)

    def normalize_argv(self, argv: list[str] | None) -> None:
        """Take the words of the command line. `--compare 3 7` is `--compare 3,7`: invoke's options take one value."""
        super().normalize_argv(argv)
        self.argv = _joined(self.argv)

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


def _joined(argv: list[str]) -> list[str]:
    """Return a command line with two numbers after --compare as one word."""
    joined: list[str] = []
    for word in argv:
        if word.isdigit() and joined[-2:-1] == ["--compare"] and joined[-1].isdigit():
            joined[-1] += f",{word}"
        else:
            joined.append(word)
    return joined


def _exit_silently(number: int) -> NoReturn:
    """Exit as after a signal."""
    for stream in (sys.stdout, sys.stderr):  # Python flushes both once more when it exits
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(128 + number)


def _is_read() -> bool:
    """Return whether standard output still has a reader."""
    output = select.poll()
    output.register(sys.stdout, 0)
    return not any(events & (select.POLLERR | select.POLLHUP) for _, events in output.poll(0))


program = Inv(name="inv", binary="inv", version="1", config_class=CommandLineOnly)
