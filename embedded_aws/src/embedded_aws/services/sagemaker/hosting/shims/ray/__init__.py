"""Replaces Ray on the embedded AWS: `ray.serve` for one ASGI application, without a cluster."""


def __getattr__(name: str) -> object:
    raise AttributeError(
        f"ray.{name} is not available on the embedded AWS: its serving container runs one ASGI application "
        "without Ray. Use only deployment, ingress, options and bind of ray.serve."
    )
