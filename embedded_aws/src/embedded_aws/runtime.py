"""Runtime: what every service of the embedded AWS shares."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import boto3

from embedded_aws import ACCOUNT_ID, child_environment
from embedded_aws.processes.supervisor import Supervisor

T = TypeVar("T")


class AssumeRole(Protocol):
    """Gets credentials of a role for a service; see `Runtime.assume`."""

    def __call__(
        self, role_arn: str, service: str, region: str, session_name: str, source_arn: str
    ) -> dict[str, str]: ...


@dataclass(kw_only=True)
class Runtime:
    """One running embedded AWS."""

    home: Path
    """Folder for state and working files."""

    port: int
    """Port of the HTTP listener on 127.0.0.1."""

    time_scale: float = 1.0
    """How many times faster than real time service clocks run (scaling, alarms)."""

    supervisor: Supervisor = field(default_factory=Supervisor)
    """Starts and ends child processes."""

    on_start: list[Callable[[], None]] = field(default_factory=list)
    """Hooks of services, called after the state is loaded and before the first request."""

    on_stop: list[Callable[[], None]] = field(default_factory=list)
    """Hooks of services, called while requests are still answered: before children end and the state is saved."""

    stopping: threading.Event = field(default_factory=threading.Event)
    """Set once the server begins to stop."""

    changed: Callable[..., None] = lambda *of: None
    """Call after a state change that no request made, so that it is saved soon.

    With a service and a region, e.g. ("sagemaker", "us-east-1"), it is saved at once.
    """

    writing: Callable[[Any], AbstractContextManager[None]] = lambda call: nullcontext()
    """Context manager around a call that writes: the write is on disk before it is answered."""

    assume_role: AssumeRole | None = None
    """Gets credentials of a role for a service."""

    _objects: list[object] = field(default_factory=list, repr=False)
    _session: boto3.Session = field(default_factory=boto3.Session, repr=False)
    _making_clients: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, shared: object) -> None:
        """Make an object available to every service, by its class."""
        self._objects.append(shared)

    def get(self, kind: type[T]) -> T:
        """Return the object of a class, or of a base class or protocol, that a service has added."""
        for shared in self._objects:
            if isinstance(shared, kind):
                return shared
        raise LookupError(f"the embedded AWS has no {kind.__name__}")

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def folder(self, *parts: str) -> Path:
        """Return a working folder below home; create it if missing."""
        path = self.home.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def assume(
        self, role_arn: str, service: str, region: str, session_name: str, source_arn: str | None = None
    ) -> dict[str, str]:
        """Return credentials of a role for an AWS service.

        service: service principal, e.g. "sagemaker.amazonaws.com".
        source_arn: the resource that the service acts for (aws:SourceArn); by default any of the service.
        Returns AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
        Raises RoleNotAssumable if the role does not exist or its trust policy does not allow the service.
        """
        assert self.assume_role is not None, "set by server.app.build"
        source_arn = source_arn or f"arn:aws:{service.partition('.')[0]}:{region}:{ACCOUNT_ID}:*"
        return self.assume_role(role_arn, service, region, session_name, source_arn)

    def environment(self, role_arn: str, service: str, region: str, session_name: str) -> dict[str, str]:
        """Return environment variables for a child process of a service: credentials of a role, and what passes."""
        return {
            **child_environment.of_container(),
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
    ) -> Any:
        """Return a boto3 client with the credentials of a role, so that its permissions apply."""
        keys = self.assume(role_arn, service, region, session_name, source_arn)
        with (
            self._making_clients
        ):  # sessions are not thread-safe; a shared one parses each service model once
            return self._session.client(
                name,
                region_name=region,
                endpoint_url=self.endpoint_url,
                aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
                aws_session_token=keys["AWS_SESSION_TOKEN"],
            )
