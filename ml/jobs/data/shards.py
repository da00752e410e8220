"""Shards: tar files of the WebDataset format, so that millions of images are thousands of objects.

Which images are in which shard depends on the hashes of their keys and on their sizes only. A shard that is too large is
divided in two by the next bit of the hashes. Thus an image that is added, changed or removed changes one shard, or
divides or joins two, and the same images give the same bytes.

A shard has two members for each image: `<class>/<name>.<format>` and `<class>/<name>.json` with its class and file.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ml.container import images
from ml.jobs.data.entries import ImageEntry
from ml.jobs.data.manifest import Shard
from ml.jobs.data.splits import SPLITS

FOLDER = "shards"
INDEX = "index.json"
NAMES = "names.txt.gz"
_FORMAT = 1  # of the bytes: another number writes all shards again
_OVERHEAD = 2048  # bytes of a tar for an image: two headers, padding, and the JSON document
_SUFFIXES = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


@dataclass(frozen=True)
class Plan:
    """A shard that is to be written.

    split, name, digest: as of Shard.
    keys: of its images, in its order.
    """

    split: str
    name: str
    digest: str
    keys: tuple[str, ...]

    @property
    def key(self) -> str:
        """Its key below the prefix of the data set."""
        return f"{FOLDER}/{self.split}/{self.name}"


def plan(files: Mapping[str, ImageEntry], max_bytes: int) -> list[Plan]:
    """Divide images into shards of at most max_bytes, unless one image has more."""
    by_split: dict[str, list[tuple[int, str]]] = {split: [] for split in SPLITS}
    for key in files:
        by_split[key.partition("/")[0]].append((position(key), key))
    plans: list[Plan] = []
    for split, placed in by_split.items():
        placed.sort()
        plans += [_plan(split, bits, keys, files) for bits, keys in _divided(placed, files, max_bytes)]
    return plans


def _divided(
    placed: list[tuple[int, str]], files: Mapping[str, ImageEntry], max_bytes: int, bits: str = ""
) -> list[tuple[str, tuple[str, ...]]]:
    """Return the images of each shard by the first bits of their positions. placed: position and key, sorted."""
    if not placed:
        return []
    size = sum(files[key].size + _OVERHEAD for _, key in placed)
    if size <= max_bytes or len(placed) == 1 or len(bits) == _BITS:
        return [(bits, tuple(key for _, key in placed))]
    bit = 1 << (_BITS - 1 - len(bits))
    ones = [item for item in placed if item[0] & bit]
    zeros = placed[: len(placed) - len(ones)]  # sorted, and equal in all bits before
    return [
        *_divided(zeros, files, max_bytes, f"{bits}0"),
        *_divided(ones, files, max_bytes, f"{bits}1"),
    ]


def _plan(split: str, bits: str, keys: tuple[str, ...], files: Mapping[str, ImageEntry]) -> Plan:
    digest = hashlib.sha256(f"{_FORMAT}\n".encode())
    for key in keys:
        digest.update(f"{key}\0{files[key].digest}\n".encode())
    return Plan(split, f"{split}-{bits or 'all'}.tar", digest.hexdigest(), keys)


_BITS = 64


def position(key: str) -> int:
    """Return where an image is in the order of the shards: 64 bits of the hash of its key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[: _BITS // 8], "big")


def tar(keys: Iterable[str], read: Callable[[str], bytes]) -> bytes:
    """Return the bytes of a shard. read: returns the stored content of an image."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as opened:
        for key in keys:
            _, label, file = key.split("/")
            content = read(key)
            suffix = _SUFFIXES[images.identify(content[: images.HEAD_BYTES]) or "PNG"]
            sample = f"{label}/{sample_name(file, suffix)}"
            about = json.dumps({"class": label, "file": file}, ensure_ascii=False).encode()
            for name, body in ((f"{sample}.{suffix}", content), (f"{sample}.json", about)):
                info = tarfile.TarInfo(name)
                info.size = len(body)
                opened.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def sample_name(file: str, suffix: str) -> str:
    """Return the name of a sample without a dot, as WebDataset ends a sample's name at its first dot.

    Different files have different names: dots and percent signs are escaped, and a lone percent sign ends the name of a
    file whose suffix is not that of the format.
    """
    stem, dot, last = file.rpartition(".")
    usual = dot and last == suffix
    escaped = (stem if usual else file).replace("%", "%25").replace(".", "%2E")
    return escaped if usual else f"{escaped}%"


def index(dataset: str, split: str, shards: Sequence[Shard], counts: Mapping[str, int]) -> bytes:
    """Return the index of a split, in the format of WebDataset's `wids` with a few more fields.

    counts: number of images of each class.
    """
    document = {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "name": f"{dataset}-{split}",
        "classes": dict(counts),
        "shardlist": [
            {"url": s.name, "nsamples": s.count, "filesize": s.size, "sha256": s.sha256} for s in shards
        ],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def names(plans: Iterable[Plan]) -> bytes:
    """Return the names of a split's images, `<class>/<file>` in lines, in the order of the shards, compressed."""
    text = "".join(f"{key.partition('/')[2]}\n" for plan in plans for key in plan.keys)
    return gzip.compress(text.encode(), mtime=0)
