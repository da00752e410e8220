"""Search an account for the resources of an environment: by tags in every region, by names in its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from ops.aws import is_denied
from ops.environment import Environment
from ops.inventory import kinds, tagging
from ops.inventory.belonging import Belonging
from ops.inventory.errors import is_gone
from ops.inventory.model import Kind, Place, Resource, Tags

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Found:
    """A resource of the environment.

    kind: None if the inventory does not know it: only its tags were found.
    managed: whether its name or its tags prove that the environment's commands created it, or AWS for them.
    """

    kind: Kind | None
    place: Place
    resource: Resource
    managed: bool


def search(
    env: Environment,
    claimed: Mapping[str, Collection[str]],
    progress: Progress,
    only: Collection[str] | None = None,
) -> list[Found]:
    """Return the resources of the environment that exist, in the order of their deletion.

    claimed: ids of resources that are the environment's without its name and tags, by the name of their kind.
    only: names of kinds to look for, in the environment's region; by default all, in every region.
    """
    progress("looking for tags in every region" if only is None else "looking for tags")
    tagged = tagging.everywhere(env, progress, None if only is None else [env.settings.region])
    tags = {item.arn: item.tags for item in tagged}
    wanted = [(kind, place) for kind, place in _wanted(env, tagged) if only is None or kind.name in only]
    progress(f"looking through {len(wanted)} kinds of resources")
    with ThreadPoolExecutor(tagging.WORKERS) as pool:
        listed = dict(zip(wanted, pool.map(lambda item: list(item[0].listing(item[1])), wanted), strict=True))
    ours = _Matching(env, tags, claimed, listed).ours()
    progress(f"looking at {len(ours)} resources")
    with ThreadPoolExecutor(tagging.WORKERS) as pool:
        found = [item for item in pool.map(_inspected(env), ours) if item]
    return [*found, *(_unknown(env, tagged) if only is None else ())]


def look_again(found: Iterable[Found]) -> list[Found]:
    """Return those of the resources that still exist, as they are now."""
    remaining = list(found)
    listed: dict[tuple[str, str], dict[tuple[str, str], Resource]] = {}
    again = []
    for item in remaining:
        if item.kind is None:
            again.append(item)
            continue
        key = item.kind.name, item.place.region
        if key not in listed:
            listed[key] = {_key(resource): resource for resource in item.kind.listing(item.place)}
        if resource := listed[key].get(_key(item.resource)):
            completed = replace(resource, tags=resource.tags or item.resource.tags)
            if inspected := _inspect(replace(item, resource=completed)):
                again.append(inspected)
    return again


def unknown_kind(resource: Resource) -> str:
    """Return a name for the kind of a resource that the inventory does not know."""
    return kinds.type_in(resource.arn)


def _key(resource: Resource) -> tuple[str, str]:
    return resource.arn, resource.id


def _wanted(env: Environment, tagged: list[tagging.Tagged]) -> list[tuple[Kind, Place]]:
    """Return the kinds to list: in the environment's region all, in others those with the environment's tags.

    A VPC anywhere is searched for all that it holds.
    """
    hits = {(item.region, kind.name) for item in tagged if (kind := kinds.kind_of(item.arn))}
    vpcs = {region for region, kind in hits if kind == "VPC"}
    home = env.settings.region
    places = {
        region: Place(env, region) for region in [home, *sorted({region for region, _ in hits} - {home})]
    }
    return [
        (kind, place)
        for region, place in places.items()
        for kind in kinds.KINDS
        if (region, kind.name) in hits
        or (place.is_home and not kind.only_tagged)
        or (kind.in_vpc and region in vpcs)
        if place.is_home or not kind.is_global
    ]


@dataclass(frozen=True)
class _Matching:
    """Separates the environment's resources from all that are listed."""

    env: Environment
    tags: Mapping[str, Tags]
    claimed: Mapping[str, Collection[str]]
    listed: Mapping[tuple[Kind, Place], list[Resource]]

    def ours(self) -> list[Found]:
        """Return the environment's resources, in the order of kinds."""
        belonging, candidates = Belonging(self.env.settings), self._candidates()
        unknown = [
            item.resource.arn for item in candidates if item.resource.tags is None and item.resource.arn
        ]
        looked_up = tagging.of(Place(self.env, self.env.settings.region), unknown)
        completed = [
            replace(item, resource=replace(item.resource, tags=looked_up[item.resource.arn]))
            if item.resource.arn in looked_up
            else item
            for item in candidates
        ]
        return [item for item in completed if not belonging.foreign(item.resource.tags)]

    def _candidates(self) -> list[Found]:
        order = {kind.name: number for number, kind in enumerate(kinds.KINDS)}
        vpcs = {
            resource.id
            for (kind, _), resources in self.listed.items()
            if kind.name == "VPC"
            for resource in resources
            if self._is_ours(kind, resource, ())
        }
        found = [
            Found(
                kind,
                place,
                self._with_tags(resource),
                kind.name in self.claimed and self._claims(kind, resource),
            )
            for (kind, place), resources in self.listed.items()
            for resource in resources
            if self._is_ours(kind, resource, vpcs)
        ]
        return sorted(found, key=lambda item: (order[item.kind.name] if item.kind else 0, item.resource.name))

    def _is_ours(self, kind: Kind, resource: Resource, vpcs: Collection[str]) -> bool:
        belonging = Belonging(self.env.settings)
        return (
            belonging.named(resource.name)
            or belonging.tagged(resource.tags)
            or resource.arn in self.tags
            or (resource.vpc in vpcs and not belonging.foreign(resource.tags))
            or self._claims(kind, resource)
        )

    def _claims(self, kind: Kind, resource: Resource) -> bool:
        return resource.id in self.claimed.get(kind.name, ())

    def _with_tags(self, resource: Resource) -> Resource:
        return (
            resource if resource.tags else replace(resource, tags=self.tags.get(resource.arn, resource.tags))
        )


def _inspected(env: Environment) -> Callable[[Found], Found | None]:
    belonging = Belonging(env.settings)

    def inspect(item: Found) -> Found | None:
        found = _inspect(item)
        if found is None or belonging.foreign(found.resource.tags):
            return None
        return replace(found, managed=item.managed or _is_managed(env, found))

    return inspect


def _inspect(item: Found) -> Found | None:
    if item.kind is None:
        return item
    try:
        resource = item.kind.inspect(item.place, item.resource)
    except ClientError as error:
        if is_gone(error):
            return None  # deleted since it was listed
        if not is_denied(error):
            raise
        resource = replace(item.resource, monthly=None)  # listed, and no more
    return replace(item, resource=resource) if resource else None


def _is_managed(env: Environment, item: Found) -> bool:
    belonging, resource = Belonging(env.settings), item.resource
    if belonging.by_terraform(resource.tags) or resource.id == env.data_bucket:
        return True
    return item.kind is not None and not item.kind.holds_data and belonging.named(resource.name)


def _unknown(env: Environment, tagged: Iterable[tagging.Tagged]) -> list[Found]:
    """Return what has the environment's tags and is of no kind of the inventory."""
    belonging = Belonging(env.settings)
    return [
        Found(
            None,
            Place(env, item.region),
            Resource(item.arn, item.arn, item.arn, item.tags, monthly=None),
            False,
        )
        for item in tagged
        if belonging.tagged(item.tags) and kinds.kind_of(item.arn) is None and not kinds.is_part(item.arn)
    ]
