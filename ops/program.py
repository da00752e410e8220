"""The program behind `./inv`: invoke, for which a wrong number in an option is a sentence and not a traceback."""

from invoke import Program
from invoke.exceptions import ParseError


class Inv(Program):
    """invoke's program under our name."""

    def parse_tasks(self) -> None:
        try:
            super().parse_tasks()
        except ValueError as error:  # what int() says of an option's value
            raise ParseError(f"One of the options takes a number: {error}.") from error


program = Inv(name="inv", binary="inv", version="1")
