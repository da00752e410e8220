"""Recall, precision and F1 of each class, the worst first, with an image and the class it is most confused with."""

from __future__ import annotations

from typing import Any

from pipeline.report import words
from pipeline.report.documents import ClassResult
from pipeline.report.inputs import Inputs
from pipeline.report.sections.confusion import examples, pairs

TITLE = "Classes"
OPEN = 20  # rows that are shown at once


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the rows of the table."""
    chosen = inputs.chosen
    if chosen is None or chosen.evaluation is None or not chosen.evaluation.per_class:
        return {"rows": [], "command": inputs.command("train --again" if chosen else "train")}
    evaluation = chosen.evaluation
    made = examples(inputs, chosen, set(evaluation.classes))
    confused: dict[str, str] = {}
    for pair in pairs(evaluation) if evaluation.confusion_matrix else []:
        confused.setdefault(pair.true, f"{pair.predicted} ({pair.images})")
    return {
        "rows": [
            _row(result, made.get(result.name), confused.get(result.name, ""))
            for result in sorted(evaluation.per_class, key=_worst_first)
        ],
        "open": OPEN,
        "split": evaluation.split,
        "few": sum(result.images < 20 for result in evaluation.per_class),
    }


def _worst_first(result: ClassResult) -> tuple[float, float, str]:
    return (
        2.0 if result.recall is None else result.recall,
        2.0 if result.f1 is None else result.f1,
        result.name,
    )


def _row(result: ClassResult, image: str | None, confused: str) -> dict[str, Any]:
    return {
        "name": result.name,
        "image": image,
        "images": result.images,
        "recall": words.percent(result.recall),
        "share": result.recall or 0.0,
        "precision": words.percent(result.precision),
        "f1": words.percent(result.f1),
        "confused": confused,
    }
