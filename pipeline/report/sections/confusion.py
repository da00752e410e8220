"""Which classes the model confuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.report import words
from pipeline.report.documents import Evaluation
from pipeline.report.inputs import Inputs, Model
from pipeline.report.plots.evaluation import READABLE, confusion
from pipeline.report.thumbnails import SMALL

TITLE = "Confusion"
PAIRS = 12


@dataclass(frozen=True)
class Pair:
    """Images of one class that were predicted as another. share: of the images of the true class."""

    true: str
    predicted: str
    images: int
    share: float


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the matrix and the most confused pairs with an image of each class."""
    chosen = inputs.chosen
    if chosen is None or chosen.evaluation is None or not chosen.evaluation.confusion_matrix:
        return {"plot": None, "command": inputs.command("train --again" if chosen else "train")}
    evaluation = chosen.evaluation
    found = pairs(evaluation)
    made = examples(inputs, chosen, {name for pair in found[:PAIRS] for name in (pair.true, pair.predicted)})
    return {
        "plot": confusion(evaluation.classes, evaluation.confusion_matrix),
        "readable": len(evaluation.classes) <= READABLE,
        "total": len(found),
        "wrong": sum(pair.images for pair in found),
        "split": evaluation.split,
        "pairs": [
            (pair, made.get(pair.true), made.get(pair.predicted), words.percent(pair.share))
            for pair in found[:PAIRS]
        ],
    }


def pairs(evaluation: Evaluation) -> list[Pair]:
    """Return the confused pairs, those with the most images first."""
    found = [
        Pair(true, predicted, images, images / sum(row))
        for true, row in zip(evaluation.classes, evaluation.confusion_matrix, strict=True)
        for predicted, images in zip(evaluation.classes, row, strict=True)
        if images and true != predicted
    ]
    return sorted(found, key=lambda pair: (-pair.images, -pair.share, pair.true, pair.predicted))


def examples(inputs: Inputs, model: Model, classes: set[str]) -> dict[str, str]:
    """Return a small image of each class; none if the model was trained on another data set than the current one."""
    first: dict[str, str] = {}
    if model.dataset == inputs.manifest.dataset:
        for key in sorted(inputs.manifest.files):  # from test to valid: an image of training is preferred
            name = key.split("/")[1]
            if name in classes and not first.get(name, "").startswith("train/"):
                first[name] = key
    made = inputs.thumbnails.of(inputs.manifest.dataset, first.values(), SMALL)
    return {name: made[key] for name, key in first.items() if key in made}
