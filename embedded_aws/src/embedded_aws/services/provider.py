"""Changes to moto for one service: backends, response classes, replaced names, start and stop hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from embedded_aws.runtime import Runtime

if TYPE_CHECKING:
    from moto.core.base_backend import BackendDict, BaseBackend
    from moto.core.responses import BaseResponse


@dataclass(frozen=True, kw_only=True)
class Routes:
    """Paths of moto's URL table that an embedded response class answers."""

    table: dict[str, Any]
    paths: Iterable[str]
    responses: type[BaseResponse]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Changes to moto for one service.

    Every folder of `services` has a module `provider` with a function `provider(runtime) -> Provider`.
    """

    backends: list[tuple[BackendDict[Any], type[BaseBackend]]] = field(default_factory=list)
    """moto's dictionaries of backends, each with the class to create."""

    routes: list[Routes] = field(default_factory=list)
    """URLs that embedded response classes answer."""

    replaced: list[tuple[ModuleType | type, str, Any]] = field(default_factory=list)
    """Names in moto's modules and classes, with new values."""

    on_start: list[Callable[[], None]] = field(default_factory=list)
    """Called after the state is loaded, before the first request."""

    on_stop: list[Callable[[], None]] = field(default_factory=list)
    """Called while requests are still answered: before child processes end and the state is saved."""

    def install(self, runtime: Runtime) -> None:
        """Apply the changes. Call once per process, before moto's first request."""
        for backends, kind in self.backends:
            backends.backend = _bound(kind, runtime)
        for routes in self.routes:
            for path in routes.paths:
                routes.table[path] = routes.responses.dispatch
        for owner, name, value in self.replaced:
            setattr(owner, name, value)
        runtime.on_start += self.on_start
        runtime.on_stop += self.on_stop


def _bound(kind: type[BaseBackend], runtime: Runtime) -> type[BaseBackend]:
    """Return a subclass whose instances have the runtime: moto passes no such argument to backends."""
    names = {"runtime": runtime, "__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), names)
