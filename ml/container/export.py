"""Writes the model artifact: weights, description, metrics and the code that serves them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

# What app.py needs in the serving container; a test imports it with nothing else on the path.
SERVING_MODULES = ("app", "service", "predict", "model", "preprocess", "vision", "errors")


def export(
    model_dir: Path,
    output_data_dir: Path,
    state_dict: dict[str, torch.Tensor],
    description: dict[str, Any],
    report: dict[str, Any],
) -> None:
    """Write model.pt, model.json, metrics.json and code/ to model_dir, and metrics.json to output_data_dir.

    state_dict: weights only, on the CPU, so that any later torch can read them with weights_only.
    description: model.json. report: metrics.json.
    """
    code = model_dir / "code"
    code.mkdir(parents=True, exist_ok=True)
    output_data_dir.mkdir(parents=True, exist_ok=True)
    torch.save({name: value.cpu() for name, value in state_dict.items()}, model_dir / "model.pt")
    _write_json(model_dir / "model.json", description)
    for folder in (model_dir, output_data_dir):
        _write_json(folder / "metrics.json", report)
    for module in SERVING_MODULES:
        shutil.copyfile(Path(__file__).with_name(f"{module}.py"), code / f"{module}.py")


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
