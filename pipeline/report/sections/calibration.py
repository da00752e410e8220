"""How well the model's confidence agrees with its accuracy."""

from __future__ import annotations

from typing import Any

from pipeline.report import words
from pipeline.report.documents import Calibration
from pipeline.report.inputs import Inputs
from pipeline.report.plots.evaluation import reliability

TITLE = "Calibration"
_SAME = 0.05  # distance of the temperature from 1 up to which the model was calibrated as it was


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the reliability diagram and the errors."""
    chosen = inputs.chosen
    evaluation = chosen.evaluation if chosen else None
    if evaluation is None or evaluation.calibration is None:
        return {"found": None, "command": inputs.command("train --again" if chosen else "train")}
    found = evaluation.calibration
    return {
        "found": found,
        "plot": reliability(found.bins) if found.bins else None,
        "before": words.percent(found.ece_before),
        "after": words.percent(found.ece_after),
        "meaning": _meaning(found),
    }


def _meaning(found: Calibration) -> str:
    """Return what the temperature says, as a sentence."""
    if abs(found.temperature - 1) <= _SAME:
        return "The temperature is near 1: the model was well calibrated as it was."
    if found.temperature > 1:
        return "The temperature is above 1: without it, the model is too sure of itself."
    return "The temperature is below 1: without it, the model is less sure than it could be."
