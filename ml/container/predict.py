"""A trained model, loaded from its artifact, that classifies pictures."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import torch

from errors import InputError
from model import build_model
from preprocess import Preprocess


class Predictor:
    """Classifies the bytes of one picture at a time. Safe to call from several threads.

    classes: in the order of the model's outputs. architecture: as in model.json.
    """

    def __init__(self, model_dir: Path) -> None:
        """Load an artifact (model.json, model.pt). Raises InputError when it is incomplete."""
        for name in ("model.json", "model.pt"):
            if not (model_dir / name).is_file():
                raise InputError(
                    f"the model artifact in {model_dir} has no {name}; it must come from train.py"
                )
        description = json.loads((model_dir / "model.json").read_text(encoding="utf-8"))
        self.architecture: str = description["architecture"]
        self.classes: tuple[str, ...] = tuple(description["classes"])
        self.preprocess = Preprocess(
            image_size=description["image_size"],
            resize_size=description["resize_size"],
            channels=description["channels"],
            mean=tuple(description["mean"]),
            std=tuple(description["std"]),
        )
        self._model = build_model(self.architecture, len(self.classes), self.preprocess.channels)
        state = torch.load(model_dir / "model.pt", map_location="cpu", weights_only=True)
        self._model.load_state_dict(state)
        self._model.eval()
        self._lock = threading.Lock()

    def logits(self, data: bytes) -> torch.Tensor:
        """Raw scores of a JPEG, PNG or WebP picture: float32 [classes]. Raises ImageError."""
        images = self.preprocess.crop(self.preprocess.decode(data)[None])
        # Pictures are decoded in parallel; one at a time goes through the model, which uses every processor.
        with self._lock, torch.inference_mode():
            return self._model(self.preprocess.normalise(images))[0]

    def predict(self, data: bytes, top_k: int, scores: bool = False) -> dict[str, Any]:
        """The response to a request: the top_k classes by probability, and every raw score if asked for."""
        logits = self.logits(data)
        top = torch.topk(logits.softmax(dim=0), top_k)
        response: dict[str, Any] = {
            "predictions": [
                {"label": self.classes[index], "probability": round(probability, 6)}
                for probability, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)
            ],
            "model": {"architecture": self.architecture, "classes": len(self.classes)},
        }
        if scores:
            response["scores"] = dict(zip(self.classes, logits.tolist(), strict=True))
        return response


def set_threads(architecture: str) -> None:
    """Set how many processors work on one picture: all, or one where a picture is too little to share.

    Set here because Ray starts its workers with OMP_NUM_THREADS=1.
    """
    torch.set_num_threads(1 if architecture == "small_cnn" else os.cpu_count() or 1)
