"""The error an operator can act on."""


class OperatorError(Exception):
    """One clear sentence: what is wrong, the value, and what to do next.

    Tasks print it without a traceback and exit non-zero.
    """
