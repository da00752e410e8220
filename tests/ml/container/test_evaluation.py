"""The content of evaluation.json."""

import json

import pytest
import torch

from evaluation import Outputs, evaluate_outputs


def outputs(split: str, seed: int, images: int = 60) -> Outputs:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % 3
    logits = 4 * torch.randn(images, 3, generator=generator)
    logits[torch.arange(images), labels] += 4
    return Outputs(split, logits, labels, [f"{'abc'[n % 3]}/{n}.png" for n in range(images)])


def test_the_evaluation_is_json_and_consistent():
    test = outputs("test", 1)
    found = evaluate_outputs(test, outputs("valid", 2), ("a", "b", "c"))
    assert json.loads(json.dumps(found)) == found
    assert (found["split"], found["images"]) == ("test", 60)
    matrix = torch.tensor(found["confusion_matrix"])
    assert matrix.sum(dim=1).tolist() == [row["images"] for row in found["per_class"]] == [20, 20, 20]
    assert found["accuracy"] == matrix.trace().item() / 60 == test.metrics().accuracy
    recalls = [row["recall"] for row in found["per_class"]]
    assert found["balanced_accuracy"] == pytest.approx(sum(recalls) / 3)
    assert len(found["mistakes"]) == 60 - matrix.trace().item()
    assert {issue["split"] for issue in found["label_issues"]} <= {"test", "valid"}


def test_the_temperature_comes_from_the_validation_split_only():
    validation = outputs("valid", 2)
    temperatures = {
        evaluate_outputs(outputs("test", seed), validation, ("a", "b", "c"))["calibration"]["temperature"]
        for seed in (3, 4)
    }
    assert len(temperatures) == 1


def test_without_a_test_split_the_validation_split_is_listed_once():
    validation = outputs("valid", 2)
    found = evaluate_outputs(validation, validation, ("a", "b", "c"))
    assert found["split"] == "valid"
    images = [issue["image"] for issue in found["label_issues"]]
    assert len(images) == len(set(images))
