"""What a rule of adoption is: how a planned resource is found on AWS, and by what id Terraform imports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import error_code
from ops.environment import Environment

Values = Mapping[str, Any]
Tags = Mapping[str, str]


class Condition(Enum):
    """Whether a resource can be used."""

    READY = "ready"
    CHANGING = "changing"  # being created, updated or deleted
    FAILED = "failed"  # it will never be ready


@dataclass(frozen=True)
class Planned:
    """A resource that a plan creates. values: its arguments that are known when planned."""

    address: str
    type: str
    values: Values


@dataclass(frozen=True)
class Found:
    """A resource on AWS.

    id: its import id.
    name: what AWS calls it, for messages; empty: the id.
    tags: None if it belongs to the resource that it is a part of, which has been checked.
    """

    id: str
    name: str = ""
    tags: Tags | None = None
    condition: Condition = Condition.READY


class Account:
    """The account in which rules search, and the tags that make a resource this environment's."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self.owner = {"Project": env.settings.project, "Environment": env.settings.environment}

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""
        return self._env.client(service)

    @property
    def account_id(self) -> str:
        """The AWS account."""
        return self._env.account_id

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """Return the ARN of a resource of this account."""
        region = self._env.settings.region if regional else ""
        return f"arn:{self._env.partition}:{service}:{region}:{self.account_id}:{resource}"

    def owns(self, tags: Tags) -> bool:
        """Return whether the tags are of this environment."""
        return all(tags.get(key) == value for key, value in self.owner.items())


@dataclass(frozen=True)
class ByName:
    """The resource has a name of ours, or belongs to one.

    find: returns the resource, or None if AWS has none or the values that identify it are not known yet.
    untagged: a resource without tags is ours, because `why` it may have none.
    hint: what to do if it belongs to somebody else; empty: choose another name.
    unread: arguments that the provider cannot read from AWS, which are ignored in plans and written into the state.
    """

    find: Callable[[Account, Values], Found | None]
    untagged: bool = False
    why: str = ""
    hint: str = ""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Listed:
    """AWS gives the resource its id, so it is found in a list of what has this environment's tags.

    items: returns the list, once for all planned resources of the type.
    matches: whether an item is the planned resource.
    found: returns what is imported.
    """

    items: Callable[[Account], Sequence[Any]]
    matches: Callable[[Any, Values], bool]
    found: Callable[[Any], Found]


@dataclass(frozen=True)
class Recreated:
    """Terraform creates the resource again, which is harmless for this `reason`."""

    reason: str


Rule = ByName | Listed | Recreated


def ask(call: Callable[..., Any], *absent: str, **request: Any) -> Any:
    """Return an AWS operation's response, or None if it fails with one of the codes that mean that nothing is there."""
    try:
        return call(**request)
    except ClientError as error:
        if error_code(error) not in absent:
            raise
        return None


def known(values: Values, *names: str) -> bool:
    """Return whether all of these arguments have a value when planned."""
    return all(values.get(name) not in (None, "", []) for name in names)


def in_parallel(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Return the results of a function, called in threads, in order."""
    if len(items) < 2:
        return [function(item) for item in items]
    with ThreadPoolExecutor(max_workers=16) as pool:
        return list(pool.map(function, items))
