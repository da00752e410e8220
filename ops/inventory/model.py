"""What the inventory knows of a resource, and of a kind of resources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops.environment import Environment

Tags = Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """A region of the environment's account. progress: shows what a long deletion does."""

    env: Environment
    region: str
    progress: Callable[[str], None] = field(default=lambda text: None, compare=False)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service in this region."""
        return self.env.client(service, self.region)

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account in this region, e.g. of ("ec2", "volume/vol-1")."""
        return f"arn:{self.env.partition}:{service}:{self.region}:{self.env.account_id}:{resource}"

    @property
    def is_home(self) -> bool:
        """Whether this is the environment's region."""
        return self.region == self.env.settings.region


@dataclass(frozen=True)
class Resource:
    """A resource that exists.

    name: as people know it.
    arn: as tags are reported; without the ":*" of log groups.
    id: what its deletion takes.
    tags: None if the listing does not report tags.
    vpc: the VPC that it is in.
    ending: whether its deletion has begun.
    monthly: cost of its existence in USD per month; None if it is unknown.
    data: further facts for its inspection and deletion.
    """

    name: str
    arn: str
    id: str
    tags: Tags | None = None
    vpc: str = ""
    ending: bool = False
    monthly: float | None = 0.0
    data: Mapping[str, Any] = field(default_factory=dict)


def as_listed(place: Place, resource: Resource) -> Resource | None:
    """Return a resource as it is: the listing says all."""
    return resource


@dataclass(frozen=True)
class Kind:
    """A kind of resources.

    name: in the words of AWS.
    types: the resource types of Terraform that create it.
    arns: the start of its ARNs, without partition, region and account: "sagemaker:endpoint/".
    listing: lists all resources of this kind in a region, also foreign ones.
    delete: deletes one, without waiting for the end of the deletion.
    inspect: completes one of the environment's, for example with its cost; returns None if it does not count.
    only_tagged: it has no name of its own, so it is looked for only where tags report it.
    is_global: it belongs to no region.
    in_vpc: it may be in a VPC, which cannot be deleted before.
    holds_data: a person may miss it, so its name alone does not prove that it may be deleted.
    """

    name: str
    types: tuple[str, ...]
    arns: tuple[str, ...]
    listing: Callable[[Place], Iterable[Resource]]
    delete: Callable[[Place, Resource], object]
    inspect: Callable[[Place, Resource], Resource | None] = as_listed
    only_tagged: bool = False
    is_global: bool = False
    in_vpc: bool = False
    holds_data: bool = False


def pages(client: Any, operation: str, items: str, **arguments: Any) -> Iterator[Any]:
    """Return the `items` of all pages of an operation."""
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**arguments):
            yield from page.get(items) or []
    else:
        yield from getattr(client, operation)(**arguments).get(items) or []
