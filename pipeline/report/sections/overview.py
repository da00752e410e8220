"""The head of the page: which model it is about, and its most important numbers."""

from __future__ import annotations

from typing import Any

from ml.jobs import compatibility
from pipeline.report import words
from pipeline.report.inputs import Inputs, Model
from pipeline.report.sections import cost

TITLE = "Overview"


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the tiles and the remarks."""
    chosen = inputs.chosen
    if chosen is None:
        return {
            "model": None,
            "command": inputs.command("train"),
            "tiles": _data_tiles(inputs),
            "remarks": [],
        }
    remarks = list(chosen.remarks)
    if different := compatibility.difference(chosen.version.lineage, inputs.manifest):
        remarks.append(f"The current data are others than those of this model: {different}.")
    elif chosen.version.lineage.get("data_hash") != inputs.manifest.hash:
        remarks.append("The data set has changed since this model was trained.")
    if chosen.evaluation is None:
        remarks.append(
            "This model has no stored evaluation: confusion matrix, classes, calibration and mistakes are missing. "
            f"Train again with {inputs.command('train --again')}."
        )
    return {
        "model": chosen,
        "serves": _serving(inputs, chosen),
        "tiles": [*_model_tiles(inputs, chosen), *_data_tiles(inputs)],
        "remarks": remarks,
        "created": words.moment(chosen.version.created),
    }


def _model_tiles(inputs: Inputs, model: Model) -> list[tuple[str, str, str]]:
    found = model.evaluation
    split = found.split if found else "test"
    tiles = [(f"{split} accuracy", words.percent(found.accuracy if found else model.version.accuracy), "")]
    if found:
        tiles.append(
            ("balanced accuracy", words.percent(found.balanced_accuracy), "mean recall of the classes")
        )
        if len(found.classes) > 5 and found.top5_accuracy is not None:
            tiles.append(("top-5 accuracy", words.percent(found.top5_accuracy), ""))
        if found.calibration:
            before = words.percent(found.calibration.ece_before)
            tiles.append(
                (
                    "calibration error",
                    words.percent(found.calibration.ece_after),
                    f"{before} before calibration",
                )
            )
    seconds = cost.training_seconds(model)
    tiles.append(("training", words.duration(seconds), words.usd(cost.of_training(model))))
    if low_high := cost.per_month(inputs):
        tiles.append(("in service, per month", low_high, "at list prices"))
    return tiles


def _data_tiles(inputs: Inputs) -> list[tuple[str, str, str]]:
    counts = {split: sum(by_class.values()) for split, by_class in inputs.manifest.counts.items()}
    return [
        (
            "images",
            f"{sum(counts.values()):,}",
            f"in {words.counted(len(inputs.manifest.classes), 'class', 'classes')}",
        )
    ]


def _serving(inputs: Inputs, model: Model) -> list[str]:
    """Return the endpoints that serve the model."""
    return [
        endpoint.outputs.endpoint_name
        for endpoint in inputs.endpoints
        if endpoint.live and model.version.arn in endpoint.live.packages.values()
    ]
