"""The loss: parts and ranks add up to the whole batch, and class weights balance the classes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from loss import Loss, class_weights
from mixing import Mixing

LABELS = torch.tensor([0, 0, 0, 0, 0, 0, 1, 2])
CPU = torch.device("cpu")


def logits(seed: int = 0) -> torch.Tensor:
    return torch.randn(len(LABELS), 3, generator=torch.Generator().manual_seed(seed))


def test_class_weights_give_each_class_the_same_sum_and_the_images_a_mean_of_one():
    weights = class_weights(LABELS, 3)
    sums = [float(weights[LABELS[label == LABELS]].sum()) for label in range(3)]
    assert sums == pytest.approx([8 / 3] * 3)
    assert Loss(weights=weights).norm(LABELS) == pytest.approx(len(LABELS))


def test_a_class_without_images_has_a_finite_weight():
    assert class_weights(LABELS, 5).isfinite().all()


@pytest.mark.parametrize("weights", [None, class_weights(LABELS, 3)])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_divided_by_its_norm_it_is_torch_s_mean(weights, smoothing):
    loss = Loss(smoothing, weights)
    found = loss.to(CPU)(logits(), LABELS) / loss.norm(LABELS)
    expected = F.cross_entropy(logits(), LABELS, weights, label_smoothing=smoothing)
    assert float(found) == pytest.approx(float(expected))
    hot = F.one_hot(LABELS, 3).float()
    assert float(loss.to(CPU)(logits(), hot)) == pytest.approx(float(loss.to(CPU)(logits(), LABELS)))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 100), cut=st.integers(1, 7), weighted=st.booleans(), mixed=st.booleans())
def test_the_parts_of_a_batch_add_up_to_it(seed, cut, weighted, mixed):
    loss = Loss(0.1, class_weights(LABELS, 3) if weighted else None).to(CPU)
    targets = LABELS
    if mixed:
        _, targets = Mixing(3, mixup=1.0).apply(logits(), LABELS, torch.Generator().manual_seed(seed))
    parts = loss(logits(seed)[:cut], targets[:cut]) + loss(logits(seed)[cut:], targets[cut:])
    assert float(parts) == pytest.approx(float(loss(logits(seed), targets)), rel=1e-5)


def test_mixing_does_not_change_the_norm():
    weights = class_weights(LABELS, 3)
    _, targets = Mixing(3, mixup=1.0).apply(logits(), LABELS, torch.Generator().manual_seed(1))
    assert float((targets * weights).sum()) == pytest.approx(Loss(weights=weights).norm(LABELS))


def test_half_precision_logits_are_summed_in_float32():
    assert Loss().to(CPU)(logits().bfloat16(), LABELS).dtype == torch.float32
