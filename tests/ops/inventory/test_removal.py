"""Deletions are repeated while they make progress, waited for, and bounded."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from ops import waiting
from ops.inventory import removal
from ops.inventory.model import Kind, Place, Resource
from ops.inventory.search import Found


class Cloud:
    """Resources by name. after: what each waits for. slow: polls that a deletion takes."""

    def __init__(self, after: dict[str, str], slow: dict[str, int] | None = None) -> None:
        self.after, self.slow = after, slow or {}
        self.existing, self.ending, self.log = set(after), {}, []
        self.errors: dict[str, str] = {}
        self.kind = Kind("thing", (), (), self.listing, self.delete)

    def listing(self, place: Place) -> list[Resource]:
        for name in [name for name, polls in self.ending.items() if polls == 0]:
            self.existing.discard(name)
            del self.ending[name]
        self.ending = {name: polls - 1 for name, polls in self.ending.items()}
        return [Resource(n, f"arn:{n}", n, ending=n in self.ending) for n in sorted(self.existing)]

    def delete(self, place: Place, item: Resource) -> None:
        self.log.append(item.id)
        if code := self.errors.get(item.id):
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "Delete")
        if self.after[item.id] in self.existing:
            raise ClientError({"Error": {"Code": "DependencyViolation", "Message": "in use"}}, "Delete")
        if item.id in self.slow:
            self.ending[item.id] = self.slow[item.id]
        else:
            self.existing.discard(item.id)

    def found(self) -> list[Found]:
        place = Place(SimpleNamespace(), "us-east-1")  # type: ignore[arg-type]
        return [Found(self.kind, place, item, True) for item in self.listing(place)]


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(waiting, "time", SimpleNamespace(sleep=pauses.append, monotonic=lambda: sum(pauses)))
    return pauses


def remove(cloud: Cloud) -> list[tuple[str, str]]:
    shown: list[str] = []
    left = removal.remove(cloud.found(), shown.append)
    return [(item.found.resource.name, item.reason) for item in left]


def test_dependencies_in_any_order_are_resolved():
    cloud = Cloud({"a": "b", "b": "c", "c": ""})
    assert remove(cloud) == []
    assert cloud.existing == set()


def test_a_slow_deletion_is_waited_for_and_begun_once(clock):
    cloud = Cloud({"a": "", "b": "a"}, slow={"a": 50})
    assert remove(cloud) == []
    assert cloud.log.count("a") == 1
    assert sum(clock) > 40


def test_a_deletion_that_does_not_end_is_left_after_a_limit(clock):
    cloud = Cloud({"a": ""}, slow={"a": 10**6})
    assert remove(cloud) == [("a", "its deletion has not ended")]
    assert removal.LIMIT_SECONDS < sum(clock) < removal.LIMIT_SECONDS + 60


def test_a_refused_deletion_is_not_waited_for(clock):
    cloud = Cloud({"a": "", "b": ""})
    cloud.errors["a"] = "AccessDenied"
    assert remove(cloud) == [("a", "AccessDenied: no")]
    assert cloud.existing == {"a"} and clock == []


def test_what_stays_in_use_is_left_after_five_minutes(clock):
    cloud = Cloud({"a": "a"})
    ((name, reason),) = remove(cloud)
    assert (name, reason) == ("a", "DependencyViolation: in use")
    assert removal.STUCK_SECONDS < sum(clock) < removal.STUCK_SECONDS + 60


def test_what_is_gone_already_is_no_error():
    cloud = Cloud({"a": ""})
    found = cloud.found()
    cloud.errors["a"] = "ResourceNotFoundException"
    cloud.existing.clear()
    assert removal.remove(found, lambda text: None) == []


def test_an_unknown_kind_is_left_with_advice():
    (item,) = Cloud({"a": ""}).found()
    unknown = dataclasses.replace(item, kind=None)
    (left,) = removal.remove([unknown], lambda text: None)
    assert "delete it in AWS's console" in left.reason
