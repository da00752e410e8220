"""Calibration: whether probabilities are shares of correct predictions, and the temperature that makes them so.

Guo et al., On Calibration of Modern Neural Networks, 2017.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from optimizers import LBFGS

BINS = 15


def fit_temperature(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the temperature T whose softmax(logits / T) fits the labels best; 1 without images.

    logits: float [N, classes] of images that were not trained on. labels: int64 [N].

    Minimizes the sum of the cross-entropies plus log(T)^2. That term weighs like one image: it keeps T finite when
    every prediction is correct, and does not matter when there are many images. T is positive, so that the order of the
    classes, and with it the accuracy, stays.
    """
    if not len(labels):
        return 1.0
    logits = logits.detach().cpu().double()
    labels = labels.cpu()
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimizer = LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        scaled = logits * torch.exp(-log_temperature)
        loss = F.cross_entropy(scaled, labels, reduction="sum") + log_temperature**2
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    temperature = float(log_temperature.detach().exp())
    return temperature if 0 < temperature < float("inf") else 1.0


def probabilities(logits: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Return the probabilities of the classes: float64 [N, classes] of logits [N, classes]."""
    return (logits.detach().cpu().double() / temperature).softmax(dim=1)


def reliability(values: torch.Tensor, labels: torch.Tensor) -> tuple[float, list[dict[str, float]]]:
    """Return the expected calibration error, 0 to 1, and the bins of the reliability diagram that have images.

    values: probabilities [N, classes]. labels: int64 [N].

    The 15 bins have equal widths. A bin has its mean confidence, its accuracy and its number of images.
    """
    confidence, predicted = values.max(dim=1)
    correct = (predicted == labels.to(predicted.device)).double()
    bins = (confidence * BINS).ceil().long().sub(1).clamp(0, BINS - 1)
    found: list[dict[str, float]] = []
    error = 0.0
    for number in range(BINS):
        inside = bins == number
        if count := int(inside.sum()):
            entry = {
                "confidence": float(confidence[inside].mean()),
                "accuracy": float(correct[inside].mean()),
                "count": count,
            }
            found.append(entry)
            error += count / len(labels) * abs(entry["confidence"] - entry["accuracy"])
    return error, found


def report(logits: torch.Tensor, labels: torch.Tensor, temperature: float) -> dict[str, Any]:
    """Return the calibration of a split, before and after the temperature. bins: after it."""
    before, _ = reliability(probabilities(logits), labels)
    after, bins = reliability(probabilities(logits, temperature), labels)
    return {"temperature": temperature, "ece_before": before, "ece_after": after, "bins": bins}
