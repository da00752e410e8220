"""Temperature and calibration error."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration import fit_temperature, probabilities, reliability, report


def sampled(temperature: float, images: int = 4000, classes: int = 5, seed: int = 0):
    """Return logits, and labels drawn from softmax(logits / temperature)."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(images, classes, generator=generator)
    labels = torch.multinomial((logits / temperature).softmax(1), 1, generator=generator).flatten()
    return logits, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_the_labels_were_drawn_with_is_found(temperature):
    logits, labels = sampled(temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.06)


def test_the_temperature_of_one_split_calibrates_another():
    found = report(*sampled(2.5, seed=1), fit_temperature(*sampled(2.5, seed=2)))
    assert found["ece_before"] > 0.1
    assert found["ece_after"] < 0.03
    assert sum(entry["count"] for entry in found["bins"]) == 4000


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(2, 6), st.floats(0.01, 100))
def test_the_temperature_changes_no_prediction(seed, images, classes, scale):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(images, classes, generator=generator)
    labels = torch.randint(classes, (images,), generator=generator)
    temperature = fit_temperature(logits, labels)
    assert 0 < temperature < math.inf
    values = probabilities(logits, temperature)
    assert values.sum(dim=1).tolist() == pytest.approx([1.0] * images)
    assert torch.equal(values.gather(1, logits.argmax(dim=1, keepdim=True))[:, 0], values.max(dim=1).values)


def test_a_validation_split_without_mistakes_gives_a_finite_temperature():
    logits = torch.tensor([[4.0, 0.0], [0.0, 4.0]]).repeat(10, 1)
    assert 0.1 < fit_temperature(logits, logits.argmax(dim=1)) < 1


def test_without_images_probabilities_stay_as_they_are():
    assert fit_temperature(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)) == 1.0


def test_the_calibration_error_is_the_distance_of_confidence_and_accuracy():
    values = torch.tensor([[0.9, 0.1]] * 4 + [[0.4, 0.6]] * 2, dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    error, bins = reliability(values, labels)
    assert bins == [
        {"confidence": pytest.approx(0.6), "accuracy": 1.0, "count": 2},
        {"confidence": pytest.approx(0.9), "accuracy": 0.75, "count": 4},
    ]
    assert error == pytest.approx((2 * 0.4 + 4 * 0.15) / 6)
