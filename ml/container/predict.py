"""Load a model artifact and classify images."""

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
    """Classifies one image at a time. Safe to call from several threads.

    architecture: as in model.json.
    classes: class names in the order of the model's outputs.
    preprocess: the transform of training.
    temperature: of the probabilities, which the validation split has calibrated.
    """

    def __init__(self, model_dir: Path) -> None:
        """Load model.json and model.pt. Raises InputError when one is missing."""
        for name in ("model.json", "model.pt"):
            if not (model_dir / name).is_file():
                raise InputError(
                    f"the model artifact in {model_dir} has no {name}; it must come from train.py"
                )
        description = json.loads((model_dir / "model.json").read_text(encoding="utf-8"))
        self.architecture: str = description["architecture"]
        self.classes: tuple[str, ...] = tuple(description["classes"])
        self.temperature: float = description["temperature"]
        self.preprocess = Preprocess.from_description(description)
        self._model = build_model(
            self.architecture,
            len(self.classes),
            channels=self.preprocess.channels,
            image_size=self.preprocess.image_size,
            head=description["head"],
        )
        state = torch.load(model_dir / "model.pt", map_location="cpu", weights_only=True)
        self._model.load_state_dict(state)
        self._model.eval()
        self._lock = threading.Lock()

    def logits(self, data: bytes) -> torch.Tensor:
        """Return the logits of an image: float32 [classes]. Raises ImageError."""
        images = self.preprocess.crop(self.preprocess.decode(data)[None])
        # Images are decoded in parallel. The model takes one at a time and uses every processor for it.
        with self._lock, torch.inference_mode():
            logits: torch.Tensor = self._model(self.preprocess.normalize(images))[0]
        return logits

    def predict(self, data: bytes, top_k: int, scores: bool = False) -> dict[str, Any]:
        """Return the response to a request: the top_k classes by probability; with `scores`, the logit of every class.

        Probabilities are calibrated, logits are as the network returns them.
        """
        logits = self.logits(data)
        top = torch.topk((logits / self.temperature).softmax(dim=0), top_k)
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
    """Use every processor for one image, or one processor for small_cnn, whose images are too small to share.

    Necessary because Ray starts its workers with OMP_NUM_THREADS=1.
    """
    torch.set_num_threads(1 if architecture == "small_cnn" else os.cpu_count() or 1)
