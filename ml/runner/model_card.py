"""SageMaker's model card of a model package: its content follows the schema of AWS's registry.

AWS, "Model package model card schema". Its limits on lengths and items are the constants below.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CONTENT_CHARACTERS = 100_000
LONG_TEXT, DETAIL, AXIS_NAME, VALUE = 2048, 1024, 63, 255
MATRIX_CLASSES = 20
OVERALL = ("accuracy", "balanced_accuracy", "top5_accuracy", "loss")


def card(
    *,
    creator: str,
    artifact: str,
    uses: Mapping[str, str],
    caveats: str,
    ethics: str,
    training: Mapping[str, Any],
    hyperparameters: Mapping[str, str],
    details: Mapping[str, str],
) -> dict[str, Any]:
    """Return the ModelCard of a CreateModelPackage request, without what only the trained model determines.

    uses: fields of the schema's intended_uses. Empty texts are left out.
    training: fields of the schema's training_job_details, such as training_datasets.
    details: custom details, such as the data set's hash.
    """
    content = {
        "model_overview": _texts({"model_creator": creator}, DETAIL) | {"model_artifact": [artifact]},
        "intended_uses": _texts(uses, LONG_TEXT),
        "training_details": {
            "training_job_details": {
                **training,
                "user_provided_hyper_parameters": _hyperparameters(hyperparameters),
            }
        },
        "additional_information": {
            **_texts({"caveats_and_recommendations": caveats, "ethical_considerations": ethics}, LONG_TEXT),
            "custom_details": _texts(details, DETAIL),
        },
    }
    return _as_parameter(content)


def with_evaluation(
    model_card: Mapping[str, str], metrics: Mapping[str, float], evaluation: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the ModelCard with the metrics of the training and the evaluation of the model.

    metrics: name to value, as in the job's log. evaluation: content of evaluation.json, if the job wrote one.
    """
    content = json.loads(model_card["ModelCardContent"])
    job = content["training_details"]["training_job_details"]
    job["user_provided_training_metrics"] = [
        {"name": name, "value": value} for name, value in sorted(metrics.items())
    ][:50]
    if evaluation is not None:
        content["evaluation_details"] = [_evaluation_details(evaluation)]
    complete = _as_parameter(content)
    if len(complete["ModelCardContent"]) > CONTENT_CHARACTERS and evaluation is not None:
        # A table of thousands of classes does not fit. The whole one is in evaluation.json.
        content["evaluation_details"][0]["metric_groups"] = [_overall(evaluation)]
        complete = _as_parameter(content)
    return complete


def _as_parameter(content: dict[str, Any]) -> dict[str, Any]:
    return {
        "ModelCardContent": json.dumps(content, sort_keys=True, ensure_ascii=False),
        "ModelCardStatus": "Draft",
    }


def _evaluation_details(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    calibration = evaluation["calibration"]
    split = evaluation["split"]
    return {
        "name": f"{split} split",
        "evaluation_observation": (
            f"{evaluation['images']} images. Expected calibration error {calibration['ece_before']:.4f}, with "
            f"temperature {calibration['temperature']:.3f} {calibration['ece_after']:.4f}."
        ),
        "metric_groups": [_overall(evaluation), _by_class(evaluation), *_confusion(evaluation)],
    }


def _overall(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: evaluation[name] for name in OVERALL}
    values |= {name: evaluation["calibration"][name] for name in ("ece_before", "ece_after", "temperature")}
    return {
        "name": "Classification",
        "metric_data": [{"name": name, "type": "number", "value": value} for name, value in values.items()],
    }


def _by_class(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    names = [_cut(str(row["class"]), AXIS_NAME) for row in evaluation["per_class"]]
    return {
        "name": "By class",
        "metric_data": [
            {
                "name": name,
                "type": "bar_chart",
                "value": [round(float(row[name]), 6) for row in evaluation["per_class"]],
                "x_axis_name": names,
                "y_axis_name": name,
            }
            for name in ("recall", "precision", "f1")
        ],
    }


def _confusion(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the confusion matrix, if the schema allows one of this size."""
    classes = evaluation["classes"]
    if len(classes) > MATRIX_CLASSES:
        return []
    names = [_cut(str(name), AXIS_NAME) for name in classes]
    matrix = {
        "name": "Images by true class (rows) and predicted class",
        "type": "matrix",
        "value": evaluation["confusion_matrix"],
        "x_axis_name": names,
        "y_axis_name": names,
    }
    return [{"name": "Confusion matrix", "metric_data": [matrix]}]


def _hyperparameters(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the hyperparameters that have a value: the schema has no empty ones."""
    given = {_cut(name, VALUE): _cut(value, VALUE) for name, value in sorted(values.items())}
    return [{"name": name, "value": value} for name, value in given.items() if name and value][:100]


def _texts(texts: Mapping[str, str], characters: int) -> dict[str, str]:
    cut = {name: _cut(text, characters) for name, text in texts.items()}
    return {name: text for name, text in cut.items() if text}


def _cut(text: str, characters: int) -> str:
    """Return a text on one line, as the schema's patterns demand, with at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= characters else f"{line[: characters - 1]}…"
