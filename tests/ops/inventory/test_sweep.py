"""Planted resources of every kind: found by tags or names, removed, and no other environment's touched."""

from __future__ import annotations

from collections import Counter
from functools import partial

from ops.environment import Environment
from ops.inventory.kinds import KINDS
from pipeline import leftovers
from tests.ops.inventory.planting import UNTAGGED, Planter

WEST = "us-west-2"


def of(env: Environment, name: str, tags: dict[str, str] | None, region: str | None = None) -> Planter:
    return Planter(partial(env.client, region=region), name, tags)


def owner(env: Environment) -> dict[str, str]:
    return {"Project": env.settings.project, "Environment": env.settings.environment}


def controls(env: Environment) -> list[Planter]:
    """Return planters of others: another environment, a longer project, and our name with others' tags."""
    project = env.settings.project
    return [
        of(env, f"{project}-dev2", {"Project": project, "Environment": "dev2"}),
        of(env, f"my-{project}-dev", {"Project": f"my-{project}", "Environment": "dev"}),
        of(env, f"{project}-dev-x-prod", {"Project": f"{project}-dev-x", "Environment": "prod"}),
        of(env, f"other-{project}", None),
    ]


def everything_of(env: Environment, planter: Planter) -> Counter[str]:
    """Return the environment of a planter's tags as its own sweep sees it: kinds with counts."""
    changed = env.settings.model_copy(
        update={"project": planter.tags["Project"], "environment": planter.tags["Environment"]}
    )
    return Counter(item.kind for item in leftovers.find(Environment(changed, env.session)))


def test_the_sweep_finds_and_removes_what_carries_our_tags(planted):
    others = controls(planted)
    kinds = {kind for planter in others for kind in planter.plant()}
    before = [everything_of(planted, planter) for planter in others if planter.tags]
    assert all(len(found) >= len(kinds) - len(UNTAGGED) for found in before)
    assert leftovers.find(planted) == []

    planted_kinds = of(planted, f"scratch-{planted.settings.project}", owner(planted)).plant()
    far = of(planted, f"far-{planted.settings.project}", owner(planted), WEST).plant(
        "volume", "topic", "queue", "nat"
    )
    found = leftovers.find(planted)
    assert len(planted_kinds) + len(far) >= 34
    assert planted_kinds <= {item.kind for item in found}
    assert far <= {item.kind for item in found if item.region == WEST}
    assert not any(item.managed for item in found)
    assert {item.monthly for item in found if item.kind == "volume"} == {8.0}

    assert leftovers.remove(planted, found, lambda text: None) == []
    assert leftovers.find(planted) == []
    assert [everything_of(planted, planter) for planter in others if planter.tags] == before


def test_names_alone_are_found_and_removed(planted):
    kinds = of(planted, f"{planted.settings.prefix}-x", None).plant()
    found = leftovers.find(planted)
    assert {item.kind for item in found} >= kinds
    assert {item.kind for item in found if not item.managed} == {
        *(kind.name for kind in KINDS if kind.holds_data),
        "network interface",  # without a name, in a network of the environment
        "subnet",
    }
    assert leftovers.remove(planted, found, lambda text: None) == []
    assert leftovers.find(planted) == []
