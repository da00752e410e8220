"""Shards: the images of a channel in tar files of the WebDataset format, instead of one file for each image.

`./inv data` writes them, with an index and the list of names. They are read from the first byte to the last, so that a
channel may be streamed (FastFile). The images are those of the same folder of single files, in the same order.
"""

from __future__ import annotations

import gzip
import json
import tarfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from decoded_cache import Encoded
from errors import InputError

INDEX = "index.json"
NAMES = "names.txt.gz"
_BUFFER = 2**20  # bytes of one read


@dataclass(frozen=True, slots=True)
class Shard:
    """A tar. first: position of its first image in the order of all shards; count: number of images."""

    path: Path
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of a channel.

    channel: its name, for messages.
    shards: in the order of the index.
    names: `<class>/<file>` of every image, sorted by class and file, as those of a folder of images.
    positions: for each image in the order of the shards, its position in `names`.
    """

    channel: str
    shards: tuple[Shard, ...]
    names: tuple[str, ...]
    positions: tuple[int, ...]

    def read(self, wanted: Collection[int], rank: int = 0, ranks: int = 1) -> Iterator[Encoded]:
        """Yield the wanted images of every `ranks`-th shard, beginning with number `rank`; indices are those of `names`.

        A shard without a wanted image is not read. Raises InputError for a shard that is damaged, or not that of the index.
        """
        missing = set(wanted)
        for shard in self.shards[rank::ranks]:
            positions = self.positions[shard.first : shard.first + shard.count]
            if missing.isdisjoint(positions):
                continue
            number = 0
            for number, (name, content) in enumerate(self._members(shard), start=1):
                if number > shard.count or _file_name(name) != self.names[positions[number - 1]]:
                    raise InputError(
                        f"shard {shard.path.name} of channel {self.channel!r} has {name!r} as image {number} of "
                        f"{shard.count}, which its index does not have; run ./inv data again, then this command"
                    )
                if positions[number - 1] in missing:
                    yield Encoded(positions[number - 1], self.names[positions[number - 1]], content)
            if number < shard.count:
                raise InputError(
                    f"shard {shard.path.name} of channel {self.channel!r} has {number} images and its index has "
                    f"{shard.count}; run ./inv data again, then this command"
                )

    def _members(self, shard: Shard) -> Iterator[tuple[str, bytes]]:
        """Yield the name and the content of each image. Reads forward only."""
        try:
            with (
                shard.path.open("rb") as file,
                tarfile.open(fileobj=file, mode="r|", bufsize=_BUFFER) as opened,
            ):
                for info in opened:
                    member = opened.extractfile(info)
                    if member is not None and not info.name.endswith(".json"):
                        yield info.name, member.read()
        except (OSError, tarfile.TarError) as error:
            raise InputError(
                f"shard {shard.path.name} of channel {self.channel!r} cannot be read ({error}); run ./inv data again, then "
                "this command"
            ) from error


def is_sharded(folder: Path) -> bool:
    """Return whether a channel has shards instead of class folders."""
    return (folder / INDEX).is_file()


def open_shards(channel: str, folder: Path) -> Shards:
    """Read the index and the names of a channel; the shards are not opened. Raises InputError if one is damaged."""
    try:
        document: Any = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        listed = [(str(entry["url"]), int(entry["nsamples"])) for entry in document["shardlist"]]
        names = gzip.decompress((folder / NAMES).read_bytes()).decode().split("\n")[:-1]
        pairs = [tuple(name.split("/")) for name in names]
        if any(len(pair) != 2 for pair in pairs) or sum(count for _, count in listed) != len(names):
            raise ValueError("they have different numbers of images")
    except (OSError, ValueError, KeyError, TypeError, EOFError, zlib.error) as error:
        raise InputError(
            f"the index or the names of the shards of channel {channel!r} cannot be read ({error}); run ./inv data again, "
            "then this command"
        ) from error
    shards, first = [], 0
    for url, count in listed:
        shards.append(Shard(folder / Path(url).name, first, count))
        first += count
    order = sorted(range(len(names)), key=pairs.__getitem__)
    positions = [0] * len(names)
    for position, number in enumerate(order):
        positions[number] = position
    return Shards(channel, tuple(shards), tuple(names[number] for number in order), tuple(positions))


def _file_name(member: str) -> str:
    """Return `<class>/<file>` of a member: its name is escaped, and ends with % if the file has another suffix."""
    label, _, sample = member.rpartition("/")
    escaped, _, suffix = sample.partition(".")
    name = escaped.removesuffix("%").replace("%2E", ".").replace("%25", "%")
    return f"{label}/{name}" if escaped.endswith("%") else f"{label}/{name}.{suffix}"
