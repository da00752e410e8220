"""The error that an operator can fix."""


class OperatorError(Exception):
    """An error with one sentence for the operator: the problem, the value, and the remedy.

    Tasks print it without a traceback and exit with 1.
    """
