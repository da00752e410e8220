"""The documents about a model and its data that training and `./inv data` leave in S3, as the report reads them.

All are optional: models of earlier versions of this repository have none of them.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, model_validator


class ClassResult(BaseModel):
    """The evaluation of one class. images: of the split. recall, precision, f1: 0 to 1; None if they are not defined."""

    name: str = Field(alias="class")
    images: int
    recall: float | None = None
    precision: float | None = None
    f1: float | None = None


class Bin(BaseModel):
    """Predictions of similar confidence. confidence, accuracy: their means, 0 to 1. count: how many."""

    confidence: float
    accuracy: float
    count: int


class Calibration(BaseModel):
    """How well the confidence agrees with the accuracy.

    temperature: that the logits are divided by.
    ece_before, ece_after: expected calibration error without and with it, 0 to 1.
    bins: of the calibrated predictions, without the empty ones.
    """

    temperature: float
    ece_before: float
    ece_after: float
    bins: list[Bin] = []


class Mistake(BaseModel):
    """A wrong prediction. image: `<class>/<file>` below the split. confidence: of the wrong class, 0 to 1."""

    image: str
    true: str
    predicted: str
    confidence: float


class LabelIssue(BaseModel):
    """An image whose label is probably wrong. score: quality of the label, 0 (surely wrong) to 1."""

    split: str
    image: str
    label: str
    suggested: str
    score: float


class Evaluation(BaseModel):
    """evaluation.json: a model on held-out images.

    confusion_matrix: numbers of images, [true class][predicted class].
    """

    split: str
    classes: list[str]
    images: int
    loss: float
    accuracy: float
    top5_accuracy: float | None = None
    balanced_accuracy: float | None = None
    per_class: list[ClassResult] = []
    confusion_matrix: list[list[int]] = []
    calibration: Calibration | None = None
    mistakes: list[Mistake] = []
    label_issues: list[LabelIssue] = []


Epoch = dict[str, float]
"""The metrics of one epoch, such as "validation:loss"."""


class History(BaseModel):
    """history.json: the epochs of a training, also if they are the member `history` of its metrics."""

    epochs: list[Epoch] = Field(alias="history")

    @model_validator(mode="before")
    @classmethod
    def _with_name(cls, document: Any) -> Any:
        return {"history": document} if isinstance(document, list) else document


class NearDuplicate(BaseModel):
    """Two images that look alike, as `<split>/<class>/<file>`. distance: bits by which their hashes differ."""

    first: str
    second: str
    distance: int


class Problems(BaseModel):
    """problems.json: what `./inv data` found. near_duplicate_count: of all; the list may have fewer."""

    near_duplicates: list[NearDuplicate] = []
    near_duplicate_count: int = 0
