"""Suspected label errors and confident mistakes, held against cleanlab."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import label_issues
import mistakes


def noisy(seed: int, images: int, classes: int, noise: float, sharpness: float = 3.0):
    """Return probabilities, noisy labels, and which labels were changed."""
    generator = torch.Generator().manual_seed(seed)
    true = torch.arange(images) % classes
    logits = torch.randn(images, classes, generator=generator)
    logits[torch.arange(images), true] += sharpness
    changed = torch.rand(images, generator=generator) < noise
    labels = torch.where(changed, (true + 1) % classes, true)
    return logits.double().softmax(dim=1), labels, changed


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(12, 60), st.integers(2, 5), st.floats(0, 0.4))
def test_the_issues_are_those_of_cleanlab(seed, images, classes, noise):
    from cleanlab.filter import find_label_issues

    values, labels, _ = noisy(seed, images, classes, noise, sharpness=1.0)
    if len(labels.unique()) < classes:
        return  # cleanlab refuses classes without images
    expected = find_label_issues(
        labels.numpy(),
        values.numpy(),
        filter_by="confident_learning",
        return_indices_ranked_by="self_confidence",
        n_jobs=1,
    )
    assert label_issues.find(values, labels) == expected.tolist()


def test_most_of_the_changed_labels_are_found_and_little_else():
    values, labels, changed = noisy(0, 2000, 10, 0.05, sharpness=5.0)
    found = torch.zeros_like(changed)
    found[label_issues.find(values, labels)] = True
    assert (found & changed).sum() >= 0.6 * changed.sum()
    assert (found & ~changed).sum() <= 0.1 * found.sum()


def test_an_issue_names_its_image_its_label_and_the_suggested_class():
    values = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.95, 0.05], [0.1, 0.9]], dtype=torch.float64)
    found = label_issues.report(
        "test", values, torch.tensor([0, 0, 1, 1]), ["a/1", "a/2", "b/3", "b/4"], ["a", "b"]
    )
    assert found == [{"split": "test", "image": "b/3", "label": "b", "suggested": "a", "score": 0.05}]


def test_heads_trained_without_an_image_find_wrong_labels_of_the_training_split():
    generator = torch.Generator().manual_seed(0)
    centers = 3 * torch.randn(4, 16, generator=generator)
    true = torch.arange(200) % 4
    features = centers[true] + torch.randn(200, 16, generator=generator)
    wrong = torch.arange(0, 200, 25)
    labels = true.clone()
    labels[wrong] = (true[wrong] + 1) % 4
    values = label_issues.held_out_probabilities(features, labels, 4)
    found = set(label_issues.find(values, labels))
    assert found <= set(wrong.tolist()) and len(found) >= 7
    assert values.sum(dim=1).tolist() == pytest.approx([1.0] * 200)


def test_every_class_is_in_every_fold():
    labels = torch.tensor([0] * 7 + [1] * 5 + [2] * 11)[torch.randperm(23)]
    folds = label_issues._folds(labels, torch.bincount(labels), seed=3)
    for number in range(3):
        assert set(folds[labels == number].tolist()) == set(range(label_issues.FOLDS))
    assert np.ptp(np.bincount(folds)) <= 3


def test_a_class_with_fewer_images_than_folds_has_no_held_out_probabilities():
    labels = torch.tensor([0] * 6 + [1] * 4)
    assert label_issues.held_out_probabilities(torch.zeros(10, 2), labels, 2) is None


def test_mistakes_are_ordered_by_confidence():
    values = torch.tensor([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
    found = mistakes.most_confident(
        values, torch.tensor([0, 0, 0, 1]), ["a/1", "a/2", "a/3", "b/4"], ["a", "b"]
    )
    assert [entry["image"] for entry in found] == ["a/2", "a/3", "b/4"]
    assert found[0] == {"image": "a/2", "true": "a", "predicted": "b", "confidence": pytest.approx(0.9)}
    assert len(mistakes.most_confident(values, torch.tensor([0, 0, 0, 1]), "1234", "ab", limit=1)) == 1
