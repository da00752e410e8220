"""The error that an operator can fix."""


class OperatorError(Exception):
    """An error with one sentence for the operator: the problem, the value, and the remedy.

    Tasks print it without a traceback and exit with 1.

    in_stage: whether a stage had begun.
    """

    in_stage = False


class Refused(OperatorError):
    """A check said no before the stage changed anything."""


class Unfinished(OperatorError):
    """A command ended in the middle of its work, which the same command resumes: nothing is to be undone."""
