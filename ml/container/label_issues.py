"""Images whose label is probably wrong, by confident learning.

Northcutt et al., Confident Learning: Estimating Uncertainty in Dataset Labels, 2021. The result is that of
`cleanlab.filter.find_label_issues` with `filter_by="confident_learning"`, ranked by self-confidence; AWS's images do not
have cleanlab.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from optimizers import LBFGS

LIMIT = 100
FOLDS = 5
LARGEST_PROBLEM = 3 * 10**8  # features x classes x images: held_out_probabilities takes seconds
_MARGIN = 1e-6  # for rounding, as cleanlab


def find(probabilities: torch.Tensor, labels: torch.Tensor) -> list[int]:
    """Return the images whose label is probably wrong, the most suspicious first.

    probabilities: [N, classes], of a model that was not trained on these images. labels: int64 [N].

    An image is listed if the model is confident of another class than its label's: its probability reaches the mean
    that the images of that class have. The order is by the probability of the given label.
    """
    given = probabilities[torch.arange(len(labels)), labels]
    classes = probabilities.shape[1]
    images = torch.zeros(classes, dtype=given.dtype).index_add_(0, labels, torch.ones_like(given))
    sums = torch.zeros(classes, dtype=given.dtype).index_add_(0, labels, given)
    # A class without images has no mean: nothing is confidently of it.
    thresholds = torch.where(images > 0, sums / images.clamp(min=1), torch.inf)
    confident = probabilities >= thresholds - _MARGIN
    number = confident.sum(dim=1)
    most_probable = probabilities.argmax(dim=1)
    believed = torch.where(number > 1, most_probable, confident.int().argmax(dim=1))
    found = (number > 0) & (believed != labels) & (most_probable != labels)
    order = torch.sort(given, stable=True).indices
    return order[found[order]].tolist()


def report(
    split: str,
    probabilities: torch.Tensor,
    labels: torch.Tensor,
    images: Sequence[str],
    classes: Sequence[str],
) -> list[dict[str, str | float]]:
    """Return the label issues of a split for evaluation.json, at most LIMIT.

    probabilities: [N, classes], as `find`. images: path of each, `<class>/<file>`. score: probability of the label.
    """
    suggested = probabilities.argmax(dim=1)
    return [
        {
            "split": split,
            "image": images[index],
            "label": classes[int(labels[index])],
            "suggested": classes[int(suggested[index])],
            "score": float(probabilities[index, labels[index]]),
        }
        for index in find(probabilities, labels)[:LIMIT]
    ]


def held_out_probabilities(
    features: torch.Tensor, labels: torch.Tensor, classes: int, seed: int = 0
) -> torch.Tensor | None:
    """Return the probabilities of each image by a linear head that was trained without it: float64 [N, classes].

    features: float [N, D] of a frozen backbone. labels: int64 [N].

    Five heads, each trained on four fifths of the images, with features of mean 0 and variance 1. None if a class has
    fewer images than folds, or the problem is so large that this would take more than seconds.
    """
    count, dimensions = features.shape
    images = torch.bincount(labels, minlength=classes)
    if int(images.min()) < FOLDS or count * dimensions * classes > LARGEST_PROBLEM:
        return None
    folds = _folds(labels, images, seed)
    result = torch.empty(count, classes, dtype=torch.float64)
    features = features.float()
    for fold in range(FOLDS):
        inside = folds == fold
        training = features[~inside]
        mean, deviation = training.mean(dim=0), training.std(dim=0).clamp(min=1e-6)
        head = _linear_head((training - mean) / deviation, labels[~inside], classes)
        with torch.no_grad():
            result[inside] = head((features[inside] - mean) / deviation).double().softmax(dim=1)
    return result


def _folds(labels: torch.Tensor, images: torch.Tensor, seed: int) -> torch.Tensor:
    """Return the fold of each image: int64 [N]. Every class is in every fold."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    by_class = order[torch.argsort(labels[order], stable=True)]
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), images.cumsum(0)[:-1]])
    place = torch.arange(len(labels)) - starts.repeat_interleave(images)
    folds = torch.empty_like(labels)
    folds[by_class] = place % FOLDS
    return folds


def _linear_head(features: torch.Tensor, labels: torch.Tensor, classes: int) -> nn.Linear:
    """Return multinomial logistic regression on the features [N, D], with a penalty that keeps it from memorizing."""
    head = nn.Linear(features.shape[1], classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = LBFGS(head.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(head(features), labels) + 0.5 / len(labels) * head.weight.square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    return head
