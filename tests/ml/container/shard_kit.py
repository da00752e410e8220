"""Channels in shards, as `./inv data` writes them."""

from __future__ import annotations

from pathlib import Path

from ml.jobs.data import manifest
from ml.jobs.data import shards as written
from ml.jobs.data.manifest import Shard
from shards import INDEX, NAMES


def write_shards(source: Path, target: Path, max_bytes: int) -> Path:
    """Write the splits of a folder as shards of at most max_bytes, each split into a folder of its own."""
    made = manifest(source)
    plans = written.plan(made.files, max_bytes)
    for split, counts in made.counts.items():
        folder = target / split
        folder.mkdir(parents=True)
        own = [plan for plan in plans if plan.split == split]
        found = []
        for plan in own:
            body = written.tar(plan.keys, lambda key: Path(made.sources[key]).read_bytes())
            (folder / plan.name).write_bytes(body)
            found.append(Shard(split, plan.name, plan.digest, len(plan.keys), len(body), "", ""))
        (folder / INDEX).write_bytes(written.index("pets", split, found, counts))
        (folder / NAMES).write_bytes(written.names(own))
    return target
