"""The program behind `./inv`: invoke, whose complaints about a command line say what to do next."""

from invoke import Program
from invoke.exceptions import ParseError


class Inv(Program):
    """invoke's program under our name."""

    def parse_tasks(self) -> None:
        try:
            super().parse_tasks()
        except ValueError as error:  # what int() says of an option's value
            raise ParseError(
                f"One of the options takes a number: {error}. ./inv --help TASK shows them."
            ) from error
        except ParseError as error:
            hint = "./inv --list shows the tasks, ./inv --help TASK its options."
            raise ParseError(f"{error} {hint}", context=error.context) from error


program = Inv(name="inv", binary="inv", version="1")
