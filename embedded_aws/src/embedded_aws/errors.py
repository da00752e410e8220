"""What can go wrong with the embedded AWS as a program, told in one sentence."""


class EmbeddedAwsError(Exception):
    """The embedded AWS cannot start, stop or answer; the message says why and what to do."""
