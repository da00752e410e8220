"""The images on which the model is wrong and most sure of it."""

from __future__ import annotations

from typing import Any

from pipeline.report import words
from pipeline.report.inputs import Inputs

TITLE = "Worst mistakes"
SHOWN = 24


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the mistakes with their images."""
    chosen = inputs.chosen
    evaluation = chosen.evaluation if chosen else None
    if chosen is None or evaluation is None:
        return {"known": False, "command": inputs.command("train --again" if chosen else "train")}
    shown = evaluation.mistakes[:SHOWN]
    keys = [f"{evaluation.split}/{mistake.image}" for mistake in shown]
    made = inputs.thumbnails.of(chosen.dataset, keys)
    return {
        "known": True,
        "split": evaluation.split,
        "shown": [
            (mistake, made.get(key), words.percent(mistake.confidence))
            for mistake, key in zip(shown, keys, strict=True)
        ],
    }
