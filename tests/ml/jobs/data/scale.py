"""What a picture costs in `./inv data`: `python tests/ml/jobs/data/scale.py 2000 20000 200000 [--shards always]`.

Each number of pictures is checked and sent by a process of its own, to an S3 that only counts: seconds of processor time,
peak memory, requests and bytes of this repository's code. Pictures are JPEGs of 32×32 pixels, so that little of the time
is the decoder's. A second pass has the cache of checked images.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from botocore.exceptions import ClientError
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

CLASSES = 20
SPLITS = ("train",) * 8 + ("valid", "test")


def write(folder: Path, count: int) -> None:
    """Write so many different pictures."""
    noise = np.random.default_rng(0)
    for number in range(count):
        place = folder / SPLITS[number % 10] / f"class{number // 10 % CLASSES:02}"
        if number < 10 * CLASSES:
            place.mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 256, (16, 16, 3), dtype="uint8")
        Image.fromarray(pixels).resize((32, 32)).save(place / f"image{number:07}.jpg", quality=80)


class CountingS3:
    """An S3 that keeps manifests and counts all else."""

    def __init__(self) -> None:
        self.requests = self.sent = 0
        self._kept: dict[str, bytes] = {}

    def put_object(self, Key: str, Body: bytes, **_: Any) -> dict[str, str]:
        self.requests += 1
        self.sent += len(Body)
        return {"ETag": f'"{hashlib.md5(Body, usedforsecurity=False).hexdigest()}"'}

    def get_object(self, **_: Any) -> dict[str, Any]:
        self.requests += 1
        raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")

    def list_objects_v2(self, **_: Any) -> dict[str, Any]:
        self.requests += 1
        return {"KeyCount": 0, "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(usegmt=True)}}}

    def delete_objects(self, **_: Any) -> dict[str, Any]:
        self.requests += 1
        return {}

    def get_paginator(self, _: str) -> CountingS3:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        self.requests += 1
        return [{}]


def measure(folder: Path, shards: str, cache: Path) -> dict[str, float]:
    """Check and send the pictures of a folder. Returns seconds, bytes and requests."""
    from ml.jobs import data
    from ops import settings
    from ops.settings.data import DataSettings

    s3 = CountingS3()
    chosen = settings.load("dev").model_copy(
        update={"data": DataSettings.model_validate({"shards": shards, "shard_megabytes": 16})}
    )
    env: Any = SimpleNamespace(
        settings=chosen,
        data_bucket="bucket",
        client=lambda _: s3,
        outputs=SimpleNamespace(foundation=SimpleNamespace(kms_key_arn="key")),
    )
    began = {"cpu": time.process_time(), "memory": _peak(), "seconds": time.monotonic()}
    report = data.validate(folder, cache=cache)
    manifest = data.manifest(folder, report.accept(), report=report)
    checked = time.process_time()
    data.upload(env, manifest)
    return {
        "check_cpu": checked - began["cpu"],
        "send_cpu": time.process_time() - checked,
        "seconds": time.monotonic() - began["seconds"],
        "memory": _peak() - began["memory"],
        "requests": s3.requests,
        "sent": s3.sent,
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _child(folder: Path, shards: str, cache: Path) -> dict[str, float]:
    command = [
        sys.executable,
        __file__,
        "--folder",
        str(folder),
        "--shards",
        shards,
        "--cache",
        str(cache),
    ]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a table of costs per picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("counts", type=int, nargs="*")
    parser.add_argument("--shards", choices=["never", "always"], default="never")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    if options.folder:
        print(json.dumps(measure(options.folder, options.shards, options.cache)))
        return
    print(
        "pictures | pass | check ms | send ms | peak MiB | requests | bytes sent (all but MiB: each per picture)"
    )
    for count in options.counts:
        with tempfile.TemporaryDirectory() as scratch:
            write(Path(scratch) / "pictures", count)
            for number in (1, 2):
                cost = _child(Path(scratch) / "pictures", options.shards, Path(scratch) / "checked.sqlite")
                print(
                    f"{count:,} | {number} | {cost['check_cpu'] / count * 1e3:.3f} | {cost['send_cpu'] / count * 1e3:.3f} | "
                    f"{cost['memory'] / 2**20:.0f} | {cost['requests'] / count:.4f} | {cost['sent'] / count:,.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
