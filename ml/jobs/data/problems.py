"""problems.json of a data set: what is accepted and may still spoil an evaluation, for the report."""

from __future__ import annotations

import json
from dataclasses import asdict

from ml.jobs.data.current import PREFIX
from ml.jobs.data.manifest import Manifest
from ml.jobs.data.seen import NearDuplicate
from ml.jobs.data.store import Store, operator_errors
from ops.environment import Environment

PROBLEMS = "problems.json"
SHOWN = 3
_LISTED = 1000  # near-duplicates in the document


def document(manifest: Manifest, near_duplicates: list[NearDuplicate]) -> dict[str, object]:
    """Return the content of problems.json.

    near_duplicates: the closest first; at most 1,000. near_duplicate_count: of all.
    class_counts: number of images by split and class.
    imbalance: of the training split: number of images of the largest and the smallest class, and their ratio.
    """
    counts = manifest.counts
    largest, smallest = max(counts["train"].values()), min(counts["train"].values())
    return {
        "near_duplicates": [asdict(pair) for pair in near_duplicates[:_LISTED]],
        "near_duplicate_count": len(near_duplicates),
        "class_counts": counts,
        "imbalance": {
            "largest": largest,
            "smallest": smallest,
            "ratio": round(largest / smallest, 2) if smallest else None,
        },
    }


def store(env: Environment, manifest: Manifest, near_duplicates: list[NearDuplicate]) -> None:
    """Write problems.json to the data set's prefix."""
    body = json.dumps(document(manifest, near_duplicates), indent=1, ensure_ascii=False).encode()
    with operator_errors(env):
        Store(env, f"{PREFIX}/{manifest.dataset}/").put(PROBLEMS, body)


def sentence(near_duplicates: list[NearDuplicate]) -> str:
    """Return a warning about near-duplicates with the first of them; empty without any."""
    if not near_duplicates:
        return ""
    count = len(near_duplicates)
    shown = ", ".join(f"{pair.first} and {pair.second}" for pair in near_duplicates[:SHOWN])
    more = f", and {count - SHOWN:,} more" if count > SHOWN else ""
    return (
        f"{count:,} pair{'s' * (count > 1)} of images look the same in different splits, so that the evaluation may be too "
        f"good: {shown}{more}. Keep each pair in one split, or delete one image of it."
    )
