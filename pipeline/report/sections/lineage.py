"""Where the model comes from: data, program, jobs, machine, hyperparameters."""

from __future__ import annotations

from typing import Any

from pipeline.report import words
from pipeline.report.inputs import Inputs, Model

TITLE = "Lineage"
_NAMES = {
    "dataset": "data set",
    "data_hash": "data hash",
    "classes": "classes",
    "git_commit": "git commit",
    "source": "program",
    "architecture": "architecture",
    "tuning_job": "search",
    "training_job": "training job",
    "launcher": "trained on",
    "instance_type": "instance type",
    "instance_count": "instances",
    "spot": "Spot",
}


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the origin of the chosen version."""
    chosen = inputs.chosen
    if chosen is None:
        return {"items": [], "command": inputs.command("train")}
    return {
        "items": _items(chosen),
        "hyperparameters": sorted(chosen.hyperparameters.items()),
        "name": chosen.name,
    }


def _items(model: Model) -> list[tuple[str, str]]:
    version = model.version
    known = [(name, version.lineage[key]) for key, name in _NAMES.items() if version.lineage.get(key)]
    items = [("model package", version.arn), ("artifact", version.artifact), ("image", model.image)]
    decided = version.approval + (f": {version.because}" if version.because else "")
    return [
        *known,
        *(item for item in items if item[1]),
        ("approval", decided),
        ("registered", words.moment(version.created)),
    ]
