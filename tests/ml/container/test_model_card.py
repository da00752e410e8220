"""The model card of an artifact."""

import pytest
import torch

import model_card
from evaluation import evaluate_outputs
from ops.settings.model_card import ModelCardSettings
from process_group import ProcessGroup
from provenance import hardware, libraries
from tests.ml.container.test_evaluation import outputs

GROUP = ProcessGroup(0, 1, torch.device("cpu"))
CLASSES = ("a", "b", "c|d")


@pytest.fixture(scope="module")
def evaluation():
    return evaluate_outputs(outputs("test", 1), outputs("valid", 2), CLASSES)


def description(**changes):
    return {
        "architecture": "small_cnn",
        "classes": CLASSES,
        "hyperparameters": {"epochs": 3, "expected_images": ""},
        "data": {"hash": "abc", "images": {"train": 60, "test": 20}},
        "weights": "5793",
        "libraries": libraries(),
        "hardware": hardware(GROUP, {"SM_CURRENT_INSTANCE_TYPE": "ml.m5.large"}),
        **changes,
    }


def test_the_card_has_the_digest_of_the_pretrained_weights(evaluation):
    assert "| pretrained weights (SHA-256) | 5793 |" in model_card.markdown(description(), evaluation)
    assert "pretrained weights" not in model_card.markdown(description(weights=""), evaluation)


def test_the_card_has_data_metrics_recipe_and_hardware(evaluation):
    card = model_card.markdown(description(), evaluation)
    assert card.startswith("# Model card: small_cnn, 3 classes\n")
    for line in (
        "Data set abc, by the hash of its manifest.",
        "| train | 60 |",
        "On the 60 images of the test split, which no choice was made on.",
        f"| accuracy | {evaluation['accuracy']:.4f} |",
        f"| the same with temperature {evaluation['calibration']['temperature']:.4f}, as served |",
        "| c\\|d | 20 |",
        "| epochs | 3 |",
        f"| torch | {torch.__version__} |",
        "| instance_type | ml.m5.large |",
    ):
        assert line in card, line
    assert "expected_images" not in card


def test_a_table_has_as_many_cells_in_each_row(evaluation):
    tables = [
        line for line in model_card.markdown(description(), evaluation).split("\n") if line.startswith("|")
    ]
    widths = {line.replace("\\|", "").count("|") for line in tables}
    assert widths == {3, 6}


def test_classes_that_are_hardly_recognized_are_a_limit(evaluation):
    rows = [row | {"recall": 0.1 if row["class"] == "b" else 0.9} for row in evaluation["per_class"]]
    card = model_card.markdown(description(), {**evaluation, "per_class": rows})
    assert "Less than half of the images of these classes are recognized (recall): b (0.10)." in card
    fine = [row | {"recall": 0.9} for row in evaluation["per_class"]]
    assert "Less than half" not in model_card.markdown(description(), {**evaluation, "per_class": fine})


def test_the_settings_start_with_the_texts_of_the_artifact():
    texts = ModelCardSettings()
    assert (texts.purpose, texts.intended_uses, texts.limits) == (
        model_card.PURPOSE,
        model_card.INTENDED_USES,
        model_card.LIMITS,
    )
