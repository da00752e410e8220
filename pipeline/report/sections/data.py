"""The data set: numbers of images, samples, and problems: near-duplicates, imbalance, suspected wrong labels."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pipeline.report import words
from pipeline.report.documents import LabelIssue, NearDuplicate, Problems
from pipeline.report.inputs import Inputs
from pipeline.report.plots.counts import class_counts

TITLE = "Data"
SAMPLES = 60  # images
PER_CLASS = 4
DUPLICATES = 8  # pairs with their images
ISSUES = 16
_IMBALANCED = 3.0  # ratio of the largest to the smallest class from which the page advises something


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the counts with their plot, the samples and the problems."""
    manifest = inputs.manifest
    counts = manifest.counts
    return {
        "dataset": manifest.dataset,
        "splits": [(split, sum(by_class.values())) for split, by_class in counts.items()],
        "classes": [
            (name, [by_class.get(name, 0) for by_class in counts.values()]) for name in manifest.classes
        ],
        "plot": class_counts(counts),
        "converted": [(reason, len(keys)) for reason, keys in manifest.converted.items()],
        **_samples(inputs),
        "imbalance": _imbalance(counts["train"]),
        "no_problems": inputs.no_problems,
        "duplicates": _duplicates(inputs, inputs.problems),
        "issues": _issues(inputs),
    }


def _samples(inputs: Inputs) -> dict[str, Any]:
    """Return the first training images of each class, or of evenly chosen classes if there are many."""
    manifest = inputs.manifest
    training = [key for key in manifest.files if key.startswith("train/")]
    by_class: dict[str, list[str]] = defaultdict(list)
    for key in sorted(
        training or manifest.files
    ):  # of a set in shards, a few images are objects of their own
        by_class[key.split("/")[1]].append(key)
    classes = sorted(by_class)
    each = max(1, min(PER_CLASS, SAMPLES // max(1, len(classes))))
    step = max(1.0, len(classes) / SAMPLES)
    chosen = [classes[int(at * step)] for at in range(min(SAMPLES, len(classes)))]
    keys = [key for name in chosen for key in by_class[name][:each]]
    made = inputs.thumbnails.of(manifest.dataset, keys)
    return {
        "samples": [
            (name, [made[key] for key in by_class[name][:each] if key in made])
            for name in chosen
            if any(key in made for key in by_class[name][:each])
        ],
        "each": each,
        "sampled": len(chosen),
        "of_classes": len(classes),
    }


def _imbalance(counts: dict[str, int]) -> str:
    """Return what the sizes of the classes mean, as a sentence."""
    largest, smallest = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    if not counts[smallest]:
        return f"Class {smallest} has no training images: the model cannot learn it."
    ratio = counts[largest] / counts[smallest]
    if ratio < _IMBALANCED:
        return f"The classes are balanced: the largest has {ratio:.1f} times as many training images as the smallest."
    return (
        f"The classes are imbalanced: {largest} has {counts[largest]:,} training images, {smallest} {counts[smallest]:,}, "
        f"which is {ratio:.1f} times fewer. Look at the balanced accuracy and at the recall of the small classes; "
        'recipe.class_balance = "weights" or "sampling" gives them more weight, more images help most.'
    )


def _duplicates(inputs: Inputs, problems: Problems | None) -> dict[str, Any]:
    """Return the near-duplicates, those between splits first: they make the test accuracy too good."""
    found = problems.near_duplicates if problems else []
    across = [pair for pair in found if _split(pair.first) != _split(pair.second)]
    shown = [*across, *(pair for pair in found if pair not in across)][:DUPLICATES]
    made = inputs.thumbnails.of(
        inputs.manifest.dataset, [key for pair in shown for key in (pair.first, pair.second)]
    )
    return {
        "checked": problems is not None,
        "total": max(len(found), problems.near_duplicate_count if problems else 0),
        "across": len(across),
        "shown": [_pair(pair, made) for pair in shown],
    }


def _pair(pair: NearDuplicate, made: dict[str, str]) -> dict[str, Any]:
    return {
        "images": [(key, made.get(key)) for key in (pair.first, pair.second)],
        "distance": pair.distance,
        "across": _split(pair.first) != _split(pair.second),
    }


def _split(key: str) -> str:
    return key.split("/")[0]


def _issues(inputs: Inputs) -> dict[str, Any]:
    chosen = inputs.chosen
    evaluation = chosen.evaluation if chosen else None
    if chosen is None or evaluation is None:
        return {
            "checked": False,
            "total": 0,
            "shown": [],
            "command": inputs.command("train --again" if chosen else "train"),
        }
    found = sorted(evaluation.label_issues, key=lambda issue: issue.score)
    shown = found[:ISSUES]
    made = inputs.thumbnails.of(chosen.dataset, [_key(issue) for issue in shown])
    return {
        "checked": True,
        "total": len(found),
        "shown": [(issue, made.get(_key(issue)), words.percent(issue.score)) for issue in shown],
    }


def _key(issue: LabelIssue) -> str:
    return f"{issue.split}/{issue.image}"
