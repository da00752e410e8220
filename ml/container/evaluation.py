"""The evaluation of a trained model on a held-out split: the content of evaluation.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

import calibration
import label_issues
import metrics
import mistakes

FILE_NAME = "evaluation.json"


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model returns for every image of a split, in the order of the split.

    split: name of the split.
    logits: float32 [N, classes], on the CPU.
    labels: int64 [N], on the CPU.
    images: path of each image, `<class>/<file>`.
    """

    split: str
    logits: torch.Tensor
    labels: torch.Tensor
    images: Sequence[str]

    def metrics(self) -> metrics.Metrics:
        """Return the metrics of the split."""
        running = metrics.RunningMetrics(self.logits.shape[1])
        # One image at a time has the loss of all at once, but for rounding: float64 makes that invisible.
        loss = F.cross_entropy(self.logits.double(), self.labels, reduction="sum")
        running.add(self.logits, self.labels, loss)
        return running.reduce(_ONE_RANK)


class _OneRank:
    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the tensor: there are no other ranks."""
        return values


_ONE_RANK = _OneRank()


def evaluate_outputs(
    reported: Outputs,
    validation: Outputs,
    classes: tuple[str, ...],
    suspected: Sequence[dict[str, str | float]] = (),
) -> dict[str, Any]:
    """Return the content of evaluation.json.

    reported: the test split, or the validation split of a job without one.
    validation: its images decide the temperature; the reported split has no part in it.
    suspected: label issues of the training split. Those of the other splits are computed here: the model was not
        trained on them.
    """
    temperature = calibration.fit_temperature(validation.logits, validation.labels)
    total = reported.metrics()
    confusion = metrics.confusion_matrix(reported.logits.argmax(dim=1), reported.labels, len(classes))
    probabilities = calibration.probabilities(reported.logits, temperature)
    issues = list(suspected)
    for outputs in {outputs.split: outputs for outputs in (validation, reported)}.values():
        values = calibration.probabilities(outputs.logits, temperature)
        issues += label_issues.report(outputs.split, values, outputs.labels, outputs.images, classes)
    return {
        "split": reported.split,
        "classes": list(classes),
        "images": total.count,
        "loss": total.loss,
        "accuracy": total.accuracy,
        "top5_accuracy": total.top5_accuracy,
        "balanced_accuracy": total.balanced_accuracy,
        "per_class": metrics.per_class(confusion, classes),
        "confusion_matrix": confusion.tolist(),
        "calibration": calibration.report(reported.logits, reported.labels, temperature),
        "mistakes": mistakes.most_confident(probabilities, reported.labels, reported.images, classes),
        "label_issues": issues,
    }
