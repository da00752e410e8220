"""The images on which a model is wrong and most sure of it: what to look at first."""

from __future__ import annotations

from collections.abc import Sequence

import torch

LIMIT = 50


def most_confident(
    probabilities: torch.Tensor,
    labels: torch.Tensor,
    images: Sequence[str],
    classes: Sequence[str],
    limit: int = LIMIT,
) -> list[dict[str, str | float]]:
    """Return the wrongly classified images, the most confident first, at most `limit`.

    probabilities: [N, classes]. labels: int64 [N]. images: path of each, `<class>/<file>`.
    """
    confidence, predicted = probabilities.max(dim=1)
    wrong = (predicted != labels).nonzero().flatten().tolist()
    confidences = confidence.tolist()
    wrong.sort(key=lambda index: (-confidences[index], images[index]))
    return [
        {
            "image": images[index],
            "true": classes[int(labels[index])],
            "predicted": classes[int(predicted[index])],
            "confidence": confidences[index],
        }
        for index in wrong[:limit]
    ]
