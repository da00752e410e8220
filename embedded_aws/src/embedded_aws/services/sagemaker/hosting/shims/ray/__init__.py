"""A stand-in for Ray on the embedded AWS: `ray.serve` with one ASGI application, no cluster."""


def __getattr__(name: str):
    raise AttributeError(
        f"ray.{name} is not there on the embedded AWS: its serving container runs one ASGI application "
        "without Ray. Only ray.serve's deployment, ingress, options and bind work."
    )
