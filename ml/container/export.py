"""Write the model artifact: weights, description, metrics and serving code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

# app.py and everything it imports. A test imports it with nothing else on the path.
SERVING_MODULES = (
    "app",
    "service",
    "serving_interface",
    "predict",
    "model",
    "networks",
    "architectures",
    "efficientnet_lite",
    "pretrained",
    "timm_models",
    "preprocess",
    "images",
    "errors",
)


def export(
    model_dir: Path,
    output_data_dir: Path,
    state_dict: dict[str, torch.Tensor],
    description: dict[str, Any],
    results: dict[str, str],
) -> None:
    """Write model.pt, model.json and code/ to model_dir, and the results to both folders.

    state_dict: the weights; saved on the CPU, so that torch.load with weights_only can read them anywhere.
    description: content of model.json.
    results: file name to content, such as metrics.json.
    """
    code = model_dir / "code"
    code.mkdir(parents=True, exist_ok=True)
    output_data_dir.mkdir(parents=True, exist_ok=True)
    torch.save({name: value.cpu() for name, value in state_dict.items()}, model_dir / "model.pt")
    (model_dir / "model.json").write_text(as_json(description), encoding="utf-8")
    for folder in (model_dir, output_data_dir):
        for name, content in results.items():
            (folder / name).write_text(content, encoding="utf-8")
    for module in SERVING_MODULES:
        shutil.copyfile(Path(__file__).with_name(f"{module}.py"), code / f"{module}.py")


def as_json(content: dict[str, Any]) -> str:
    """Return content as a JSON file has it."""
    return json.dumps(content, indent=2) + "\n"
