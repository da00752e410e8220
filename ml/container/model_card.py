"""The model card of an artifact, model-card.md: what the model is, what it is for, how good it is, how it was made.

Mitchell et al., Model Cards for Model Reporting, 2019.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FILE_NAME = "model-card.md"
# Also the defaults of the settings [model_card], which a test compares. This program does not see the settings.
PURPOSE = "Assign an image to one of the classes that it was trained on."
INTENDED_USES = "Images like those of the data set: the same subjects, cameras and framing."
LIMITS = (
    "The model knows no other classes: it assigns every image to one of its own. The metrics hold for images like "
    "those of the test split; measure again before a use with other images."
)
_OVERALL = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy (mean recall of the classes)",
    "top5_accuracy": "top-5 accuracy",
    "loss": "loss (cross-entropy)",
}


def markdown(description: Mapping[str, Any], evaluation: Mapping[str, Any]) -> str:
    """Return the model card. description: content of model.json. evaluation: content of evaluation.json."""
    sections = [
        f"# Model card: {description['architecture']}, {len(description['classes'])} classes",
        PURPOSE,
        _section("Intended use", [INTENDED_USES]),
        _section("Limits", [LIMITS, *_weak_classes(evaluation)]),
        _section("Data", _data(description)),
        _section("Metrics", _metrics(evaluation)),
        _section("Classes", [_classes(evaluation)]),
        _section("Recipe", [_pairs(description["hyperparameters"])]),
        _section("Made with", [_pairs(_made_with(description))]),
    ]
    return "\n\n".join(sections) + "\n"


def _section(title: str, paragraphs: Iterable[str]) -> str:
    return "\n\n".join([f"## {title}", *paragraphs])


def _data(description: Mapping[str, Any]) -> list[str]:
    data = description["data"]
    rows = [[name, str(count)] for name, count in data["images"].items()]
    digest = data["hash"]
    note = (
        f"Data set {digest}, by the hash of its manifest." if digest else "The job had no hash of its data."
    )
    return [note, _table(["split", "images"], rows)]


def _metrics(evaluation: Mapping[str, Any]) -> list[str]:
    calibration = evaluation["calibration"]
    rows = [[title, f"{evaluation[name]:.4f}"] for name, title in _OVERALL.items()]
    rows += [
        ["expected calibration error of softmax(logits)", f"{calibration['ece_before']:.4f}"],
        [
            f"the same with temperature {calibration['temperature']:.4f}, as served",
            f"{calibration['ece_after']:.4f}",
        ],
    ]
    split = evaluation["split"]
    note = f"On the {evaluation['images']} images of the {split} split"
    note += ", which no choice was made on." if split == "test" else ", on which hyperparameters were chosen."
    return [note, _table(["metric", "value"], rows)]


def _weak_classes(evaluation: Mapping[str, Any]) -> list[str]:
    """Return a warning for classes with a recall below half, the worst first."""
    weak = sorted((row["recall"], row["class"]) for row in evaluation["per_class"] if row["recall"] < 0.5)
    if not weak:
        return []
    names = ", ".join(f"{name} ({recall:.2f})" for recall, name in weak[:10])
    more = f" and {len(weak) - 10} more" if len(weak) > 10 else ""
    return [f"Less than half of the images of these classes are recognized (recall): {names}{more}."]


def _classes(evaluation: Mapping[str, Any]) -> str:
    rows = [
        [
            str(row["class"]),
            str(row["images"]),
            *(f"{row[name]:.4f}" for name in ("recall", "precision", "f1")),
        ]
        for row in evaluation["per_class"]
    ]
    return _table(["class", "images", "recall", "precision", "F1"], rows)


def _made_with(description: Mapping[str, Any]) -> dict[str, Any]:
    weights = {"pretrained weights (SHA-256)": description["weights"]}
    return {**description["libraries"], **description["hardware"], **weights}


def _pairs(values: Mapping[str, Any]) -> str:
    return _table(["name", "value"], [[name, str(value)] for name, value in values.items() if value != ""])


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
