"""Lambda of the embedded AWS: the real zip in a process of its own."""

from local_aws.runtime import Runtime


def install(current: Runtime) -> None:
    """Put our functions in moto's place, before its first request."""
