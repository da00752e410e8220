"""The container's error for invalid input."""


class InputError(Exception):
    """Invalid input. The message is one sentence: what is wrong, the value, and what would be valid."""
