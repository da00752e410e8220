"""SageMaker's model card: valid by the schema of AWS's registry, for any number of classes and any texts."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore.model import Shape
from botocore.validate import validate_parameters
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.runner.model_card import CONTENT_CHARACTERS, card, with_evaluation


def text(characters: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": characters}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def named(value: Any, name: str = ".{1,255}", **more: Any) -> dict[str, Any]:
    found = closed(name={"type": "string", "pattern": name}, value=value, **more)
    return found | {"required": ["name", "value", *(["type"] if "type" in more else [])]}


def metric(kind: str, value: Any, x: Any, y: Any) -> dict[str, Any]:
    return named(value, type={"enum": [kind]}, notes=text(1024), x_axis_name=x, y_axis_name=y)


AXIS, AXES = text(63), {"type": "array", "items": text(63)}
ROW = {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 20}
METRICS = [
    metric("number", {"type": "number"}, AXIS, AXIS),
    metric("bar_chart", {"type": "array", "items": {"type": "number"}, "minItems": 1}, AXES, AXIS),
    metric("matrix", {"type": "array", "items": ROW, "minItems": 1, "maxItems": 20}, AXES, AXES),
]
TEXTS = {"type": "array", "items": text(1024), "maxItems": 15}
# The part of AWS's "Model package model card schema" that our cards use.
SCHEMA = closed(
    model_overview=closed(model_creator=text(1024), model_artifact=TEXTS),
    intended_uses=closed(
        purpose_of_model=text(2048),
        intended_uses=text(2048),
        factors_affecting_model_efficiency=text(2048),
        risk_rating={"enum": ["High", "Medium", "Low", "Unknown"]},
        explanations_for_risk_rating=text(2048),
    ),
    training_details=closed(
        training_job_details=closed(
            training_datasets=TEXTS,
            training_environment=closed(container_image=TEXTS),
            user_provided_training_metrics={
                "type": "array",
                "items": named({"type": "number"}),
                "maxItems": 50,
            },
            user_provided_hyper_parameters={
                "type": "array",
                "items": named({"type": "string", "pattern": "^.{1,255}$"}),
                "maxItems": 100,
            },
        )
    ),
    evaluation_details={
        "type": "array",
        "items": closed(
            name={"type": "string", "pattern": "^.{1,63}$"},
            evaluation_observation=text(2096),
            metric_groups={
                "type": "array",
                "items": closed(
                    name={"type": "string", "pattern": "^.{1,63}$"},
                    metric_data={"type": "array", "items": {"anyOf": METRICS}},
                ),
            },
        ),
    },
    additional_information=closed(
        ethical_considerations=text(2048),
        caveats_and_recommendations=text(2048),
        custom_details={"type": "object", "additionalProperties": text(1024)},
    ),
)


def a_card(text: str = "text", **hyperparameters: str) -> dict[str, Any]:
    return card(
        creator=text,
        artifact="s3://bucket/training/job/output/model.tar.gz",
        uses={"purpose_of_model": text, "intended_uses": text, "risk_rating": "Low"},
        caveats=text,
        ethics="",
        training={"training_datasets": ["s3://bucket/datasets/d/train/"]},
        hyperparameters=hyperparameters,
        details={"data_hash": text},
    )


def an_evaluation(classes: int, name: str = "class") -> dict[str, Any]:
    names = [f"{name} {number}" for number in range(classes)]
    return {
        "split": "test",
        "classes": names,
        "images": classes,
        "loss": 0.5,
        "accuracy": 1.0,
        "balanced_accuracy": 1.0,
        "top5_accuracy": 1.0,
        "per_class": [{"class": n, "images": 1, "recall": 1.0, "precision": 1 / 3, "f1": 0.5} for n in names],
        "confusion_matrix": [[int(i == j) for j in range(classes)] for i in range(classes)],
        "calibration": {"temperature": 1.5, "ece_before": 0.2, "ece_after": 0.1, "bins": []},
    }


@cache
def shape() -> Shape:
    return botocore.session.get_session().get_service_model("sagemaker").shape_for("ModelPackageModelCard")


def check(found: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a card that the API and the schema accept."""
    validate_parameters(found, shape())
    assert len(found["ModelCardContent"]) <= CONTENT_CHARACTERS
    content = json.loads(found["ModelCardContent"])
    jsonschema.validate(content, SCHEMA)
    return content


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 25), st.text(max_size=5), st.text(max_size=5), st.sampled_from([0, 1, 700]))
def test_every_card_is_valid(classes, name, text, repeated):
    card = a_card(text * repeated, seed=text * repeated)
    complete = with_evaluation(card, {"test:loss": 0.5}, an_evaluation(classes, name * (1 + repeated // 10)))
    groups = [g["name"] for g in check(complete)["evaluation_details"][0]["metric_groups"]]
    assert ("Confusion matrix" in groups) == (classes <= 20)


def test_the_card_has_what_people_ask_for():
    content = check(with_evaluation(a_card(epochs="3", empty=""), {"test:loss": 0.25}, an_evaluation(3)))
    job = content["training_details"]["training_job_details"]
    assert job["user_provided_hyper_parameters"] == [{"name": "epochs", "value": "3"}]
    assert job["user_provided_training_metrics"] == [{"name": "test:loss", "value": 0.25}]
    details = content["evaluation_details"][0]
    assert details["name"] == "test split"
    assert "0.2000, with temperature 1.500 0.1000" in details["evaluation_observation"]
    overall = {entry["name"]: entry["value"] for entry in details["metric_groups"][0]["metric_data"]}
    assert (overall["balanced_accuracy"], overall["temperature"]) == (1.0, 1.5)
    assert details["metric_groups"][2]["metric_data"][0]["value"] == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_a_table_that_does_not_fit_is_left_out():
    groups = check(with_evaluation(a_card(), {}, an_evaluation(800, "long " * 12)))["evaluation_details"][0][
        "metric_groups"
    ]
    assert [group["name"] for group in groups] == ["Classification"]


def test_a_job_without_an_evaluation_has_a_card_without_one():
    assert "evaluation_details" not in check(with_evaluation(a_card(), {"validation:loss": 1.0}, None))


def test_the_schema_refuses_what_it_should():
    content = json.loads(a_card()["ModelCardContent"])
    for path, wrong in (("intended_uses", {"risk_rating": "Huge"}), ("model_overview", {"model_name": "m"})):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**content, path: wrong}, SCHEMA)
