"""Errors of the embedded AWS as a program."""


class EmbeddedAwsError(Exception):
    """The embedded AWS cannot start, stop or answer. The message is one sentence: what is wrong and what to do."""
