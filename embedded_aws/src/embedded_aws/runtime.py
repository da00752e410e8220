"""What every service of the embedded AWS shares: home folder, address, credentials of roles, hooks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import boto3

from embedded_aws import ACCOUNT_ID
from embedded_aws.processes.supervisor import Supervisor

T = TypeVar("T")

_OURS = ("AWS_", "MOTO_", "TF_", "MALLOC_")  # variables of this process that no child is to have


class AssumeRole(Protocol):
    """Gets credentials of a role for a service; see `Runtime.assume`."""

    def __call__(
        self, role_arn: str, service: str, region: str, session_name: str, source_arn: str
    ) -> dict[str, str]: ...


@dataclass(kw_only=True)
class Runtime:
    """The running embedded AWS.

    home: folder for state and working files. port: of the HTTP listener on 127.0.0.1.
    time_scale: how many times faster than real time the service clocks run (scaling, alarms).
    on_start: hooks of the services, called once the state is loaded, before the first request is answered.
    on_stop: hooks of the services, called while requests are still answered, before children are ended and the
    state is saved.
    changed: to be called after a change of state that no request made, so that it is saved soon; with a service and
    a region, e.g. ("sagemaker", "us-east-1"), at once.
    writing: around a call that writes, so that it is on disk before it is answered.
    assume_role: how a service gets credentials of a role.
    """

    home: Path
    port: int
    time_scale: float = 1.0
    supervisor: Supervisor = field(default_factory=Supervisor)
    on_start: list[Callable[[], None]] = field(default_factory=list)
    on_stop: list[Callable[[], None]] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    changed: Callable[..., None] = lambda *of: None
    writing: Callable[[Any], AbstractContextManager[None]] = lambda call: nullcontext()
    assume_role: AssumeRole | None = None
    _services: list[object] = field(default_factory=list, repr=False)
    _session: boto3.Session = field(default_factory=boto3.Session, repr=False)
    _making_clients: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, service: object) -> None:
        """Make an object available to every service, by its class."""
        self._services.append(service)

    def get(self, kind: type[T]) -> T:
        """The object of a class that a service has added."""
        for service in self._services:
            if isinstance(service, kind):
                return service
        raise LookupError(f"the embedded AWS has no {kind.__name__}")

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def folder(self, *parts: str) -> Path:
        """A working folder below home, created if missing."""
        path = self.home.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def assume(
        self, role_arn: str, service: str, region: str, session_name: str, source_arn: str | None = None
    ) -> dict[str, str]:
        """Credentials of a role, as AWS's service `service` (e.g. "sagemaker.amazonaws.com") would get them.

        source_arn: what the service acts for (aws:SourceArn in trust policies); by default any resource of it.
        Returns AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
        Raises RoleNotAssumable if the role is missing or its trust policy names another service.
        """
        assert self.assume_role is not None, "the access control is not installed"
        source_arn = source_arn or f"arn:aws:{service.partition('.')[0]}:{region}:{ACCOUNT_ID}:*"
        return self.assume_role(role_arn, service, region, session_name, source_arn)

    def environment(self, role_arn: str, service: str, region: str, session_name: str) -> dict[str, str]:
        """The environment of a process that runs for a service: this one's, less every AWS_* variable,
        plus the role's credentials, the region and the address of the embedded AWS."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        return {
            **inherited,
            **self.assume(role_arn, service, region, session_name),
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(
        self,
        name: str,
        role_arn: str,
        service: str,
        region: str,
        session_name: str,
        source_arn: str | None = None,
    ):
        """A boto3 client that acts as the role, so that its permissions apply to what a service does for it."""
        keys = self.assume(role_arn, service, region, session_name, source_arn)
        with self._making_clients:  # a session is not thread-safe; one for all parses each service model once
            return self._session.client(
                name,
                region_name=region,
                endpoint_url=self.endpoint_url,
                aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=keys["AWS_SESSION_TOKEN"],
            )


_current: Runtime | None = None


def install(runtime: Runtime) -> None:
    """Make `runtime` the one of this process; moto creates its backends without our arguments."""
    global _current
    _current = runtime


def current() -> Runtime:
    """The runtime of this process."""
    if _current is None:
        raise RuntimeError("the embedded AWS has not been started in this process")
    return _current


__all__ = ["ACCOUNT_ID", "Runtime", "current", "install"]
