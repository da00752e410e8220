"""Replaces ray.serve: `deployment`, `ingress`, `options` and `bind`, for one ASGI application.

An application that uses only these also runs on Ray Serve. Everything else raises an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_ASGI = "_asgi_application"


def __getattr__(name: str) -> object:
    raise AttributeError(
        f"ray.serve.{name} is not available on the embedded AWS: only deployment, ingress, options and bind are."
    )


class Application:
    """A deployment with its arguments: the result of `bind`."""

    def __init__(self, deployment: Deployment, args: tuple[Any, ...], kwargs: dict[str, Any]):
        if any(isinstance(value, (Application, Deployment)) for value in (*args, *kwargs.values())):
            raise TypeError("the embedded AWS runs one deployment: bind() cannot take other deployments")
        self.deployment, self.args, self.kwargs = deployment, args, kwargs

    def build(self) -> Any:
        """Construct the deployment's class, which may load a model, and return its ASGI application."""
        application = getattr(self.deployment.target, _ASGI, None)
        if application is None:
            raise TypeError(f"{self.deployment.name} has no @serve.ingress(asgi_application)")
        self.deployment.target(*self.args, **self.kwargs)
        return application


class Deployment:
    """A class to serve. Options of scale and placement have no effect: the endpoint configuration sets instances."""

    def __init__(self, target: type, settings: dict[str, Any]):
        self.target, self.settings = target, settings
        self.name = settings.get("name", target.__name__)

    def options(self, **settings: Any) -> Deployment:
        return Deployment(self.target, {**self.settings, **settings})

    def bind(self, *args: Any, **kwargs: Any) -> Application:
        return Application(self, args, kwargs)


def deployment(target: type | None = None, **settings: Any) -> Any:
    """Decorator, with or without arguments."""
    if target is None:
        return lambda decorated: Deployment(decorated, settings)
    return Deployment(target, settings)


def ingress(application: Any) -> Callable[[type], type]:
    """Class decorator: serve HTTP with `application`."""

    def decorate(target: type) -> type:
        members = {id(member) for member in vars(target).values()}
        for route in getattr(application, "routes", []):
            if id(getattr(route, "endpoint", None)) in members:
                raise TypeError(
                    f"route {route.path} is a method of {target.__name__}: the embedded AWS serves routes that "
                    "are functions"
                )
        setattr(target, _ASGI, staticmethod(application))
        return target

    return decorate
