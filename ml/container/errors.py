"""The error of the container: what the caller gave cannot be used."""


class InputError(Exception):
    """One clear sentence: what is wrong, the value, and what would be valid."""
