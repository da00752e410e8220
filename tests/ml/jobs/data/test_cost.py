"""What a picture costs does not grow with the number of pictures. scale.py measures the seconds."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from ml.jobs.data import journal
from ml.jobs.data.journal import Journal
from ml.jobs.data.parallel import each
from ml.jobs.data.store import Stored
from tests.ml.jobs.data import scale


class Items:
    """A sequence that knows how many of its items were read."""

    def __init__(self, count: int) -> None:
        self.count, self.read = count, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self):
        for item in range(self.count):
            self.read += 1
            yield item


@pytest.mark.parametrize("workers", [1, 3])
def test_results_do_not_wait_in_memory(workers):
    items = Items(2000)
    ahead = [items.read - done for done, _ in enumerate(each(str, items, "", workers=workers), 1)]
    assert items.read == len(ahead) == 2000 and max(ahead) < 16 * workers


def test_an_error_stops_the_calls_and_is_raised():
    called = []

    def call(item: int) -> None:
        called.append(item)
        if item == 5:
            raise ValueError

    with pytest.raises(ValueError):
        list(each(call, range(10_000), "", workers=2))
    assert len(called) < 100


class Puts:
    """A store that keeps what is put."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []

    def put(self, key: str, body: bytes, **_: Any) -> Stored:
        self.bodies.append((key, body))
        return Stored("", "")

    def get(self, key: str) -> bytes | None:
        return dict(self.bodies).get(key)


def test_the_journal_has_each_object_once_however_often_it_is_written():
    store = Puts()
    writing = Journal(store, [])
    assert writing.create()
    added = {f"train/cat/{number}.jpg": Stored(f"{number:064}", '"e"') for number in range(300)}
    for number, (key, stored) in enumerate(added.items()):
        writing.add(key, stored)
        if number % 10 == 0:
            writing._write()
    writing._write()
    listed = {key for key, _ in store.bodies}
    assert journal.read(store, listed) == added
    keys = Counter(row[0] for key, body in store.bodies if key != journal.MARKER for row in json.loads(body))
    assert set(keys.values()) == {1} and set(writing.keys()) == listed


def test_a_resumed_journal_adds_parts_and_keeps_those_before():
    store = Puts()
    for number in range(3):
        writing = Journal(store, {key for key, _ in store.bodies})
        assert writing.create()
        writing.add(str(number), Stored("d", "e"))
        writing._write()
    assert set(journal.read(store, {key for key, _ in store.bodies})) == {"0", "1", "2"}


@pytest.mark.parametrize(("shards", "per_image"), [("never", 1.0), ("always", 0.0)])
def test_requests_and_bytes_are_proportional_to_the_pictures(tmp_path, monkeypatch, shards, per_image):
    from ml.jobs.data import contents

    monkeypatch.setattr(contents, "EXAMPLES", 20)
    costs = []
    for count in (200, 400):
        scale.write(tmp_path / str(count), count)
        costs.append(scale.measure(tmp_path / str(count), shards, tmp_path / "cache"))
    few, many = costs
    assert many["requests"] - few["requests"] == 200 * per_image
    assert many["sent"] / few["sent"] == pytest.approx(2, rel=0.2 if shards == "never" else 0.5)
