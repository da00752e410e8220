"""Find every resource of an environment that still exists, by its name or tags, and remove it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from ops import console
from ops.environment import Environment
from ops.facts.prices import prices as price_list
from ops.inventory import prices, removal, search
from pipeline.workbench import studio

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Leftover:
    """A resource that still exists.

    kind, name: for people.
    region: where it is; "global" if it belongs to no region.
    arn: empty for what has none.
    monthly: cost of its existence in USD per month; None if it is unknown.
    managed: whether the environment's commands created it, or AWS for them. Anything else has only the environment's
        tags, or holds data that somebody may miss.
    reason: why it was not removed.
    """

    kind: str
    name: str
    region: str = ""
    arn: str = ""
    monthly: float | None = None
    managed: bool = False
    found: search.Found | None = None
    reason: str = ""

    @property
    def billable(self) -> bool:
        """Whether AWS bills for its existence, or may."""
        return self.monthly != 0


def find(
    env: Environment, progress: Progress = lambda text: None, only: Collection[str] | None = None
) -> list[Leftover]:
    """Return every resource of the environment that exists, in the order in which they can be removed.

    Resources whose deletion has begun are left out, but for endpoints and jobs, which bill until they are gone.

    only: kinds to look for, in the environment's region; by default all, in every region.
    """
    found = search.search(env, _claimed(env) if only is None else {}, progress, only)
    return [_leftover(item) for item in found if not item.resource.ending or _bills_to_the_end(item)]


def remove(env: Environment, found: Sequence[Leftover], progress: Progress) -> list[Leftover]:
    """Delete resources, and wait until they are gone. Returns those that remain, each with its reason."""
    remaining = removal.remove([item.found for item in found if item.found], progress)
    return [replace(_leftover(item.found), reason=item.reason) for item in remaining]


def look_again(found: Sequence[Leftover]) -> list[Leftover]:
    """Return those resources that still exist."""
    return [_leftover(item) for item in search.look_again(item.found for item in found if item.found)]


def show(title: str, found: Sequence[Leftover]) -> None:
    """Print a table of resources with the cost of each, and the sum."""
    rows = [(item.kind, item.name, item.region, _price(item.monthly)) for item in found]
    console.table(title, ["kind", "name", "region", "USD a month"], rows)
    listed = price_list()
    console.say(f"Together: {cost(found)}, at list prices of {listed['region']}, {listed['as_of']}.")
    for item in found:
        if item.reason:
            console.say(f"{item.kind} {item.name}: {item.reason}.")


def cost(found: Sequence[Leftover]) -> str:
    """Return what resources cost together, e.g. "35.85 USD a month, and 2 of unknown cost"."""
    known, unknown = prices.total([item.monthly for item in found])
    more = f", and {unknown} of unknown cost" if unknown else ""
    return f"{known:.2f} USD a month{more}"


def _price(monthly: float | None) -> str:
    if monthly is None:
        return "unknown"
    return "0" if monthly == 0 else f"{monthly:.2f}" if monthly >= 0.01 else "< 0.01"


def _leftover(item: search.Found) -> Leftover:
    resource, kind = item.resource, item.kind
    return Leftover(
        kind=kind.name if kind else search.unknown_kind(resource),
        name=resource.name,
        region="global" if kind and kind.is_global else item.place.region,
        arn=resource.arn,
        monthly=resource.monthly,
        managed=item.managed,
        found=item,
    )


def _bills_to_the_end(item: search.Found) -> bool:
    return item.kind is not None and item.kind.name in (
        "endpoint",
        "running tuning job",
        "running training job",
    )


def _claimed(env: Environment) -> dict[str, set[str]]:
    """Return what SageMaker created for the environment's Studio domains, with tags of its own."""
    return {
        "file system": set(studio.file_systems(env)),
        "security group": {group["GroupId"] for group in studio.security_groups(env)},
    }
