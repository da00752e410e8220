"""Mixup and cutmix: what is mixed with what, in which ratio, and that ranks see what one process sees."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mixing import Mixing
from sampling import share


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs whose values name the image, and labels."""
    inputs = torch.arange(count, dtype=torch.float32).view(-1, *(1 for _ in shape)).expand(count, *shape)
    return inputs.clone(), torch.arange(count) % 3


kinds = st.sampled_from([(0.4, 0.0), (0.0, 1.0), (0.2, 1.0)])


def test_without_alphas_nothing_is_mixed_or_drawn():
    inputs, labels = batch(4, 3, 8, 8)
    generator = seeded(1)
    mixed, targets = Mixing(3).apply(inputs, labels, generator)
    assert mixed is inputs
    assert targets is labels
    assert torch.equal(generator.get_state(), seeded(1).get_state())


@settings(max_examples=40, deadline=None)
@given(kind=kinds, count=st.integers(1, 13), seed=st.integers(0, 500), features=st.booleans())
def test_targets_are_the_shares_of_the_inputs(kind, count, seed, features):
    inputs, labels = batch(count, *((5,) if features else (1, 8, 8)))
    mixed, targets = Mixing(3, *kind).apply(inputs, labels, seeded(seed))
    assert targets.sum(dim=1).tolist() == pytest.approx([1.0] * count)
    for number in range(count):
        partner = number ^ 1 if number ^ 1 < count else number
        # The value of a pixel is the number of the image; the mean says how much is the partner's.
        share_of_partner = abs(float(mixed[number].mean()) - number)
        expected = torch.zeros(3)
        expected[labels[number]] += 1 - share_of_partner
        expected[labels[partner]] += share_of_partner
        assert torch.allclose(targets[number], expected, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(kind=kinds, count=st.integers(1, 13), seed=st.integers(0, 500), ranks=st.integers(1, 4))
def test_the_shares_of_ranks_are_the_whole_batch(kind, count, seed, ranks):
    inputs, labels = batch(count, 1, 8, 8)
    mixing = Mixing(3, *kind)
    whole, targets = mixing.apply(inputs, labels, seeded(seed))
    for rank in range(ranks):
        places = share(count, rank, ranks, pairs=True)
        found, found_targets = mixing.apply(inputs[places], labels[places], seeded(seed))
        assert torch.equal(found, whole[places])
        assert torch.equal(found_targets, targets[places])


def test_cutmix_pastes_a_rectangle():
    inputs, labels = batch(2, 1, 16, 16)
    mixing = Mixing(3, cutmix=1.0)
    for seed in range(20):
        mixed, _ = mixing.apply(inputs, labels, seeded(seed))
        pasted = mixed[0, 0] == 1
        rows, columns = pasted.any(dim=1), pasted.any(dim=0)
        assert torch.equal(pasted, rows[:, None] & columns[None, :])


def test_with_both_about_half_of_the_batches_have_each():
    inputs, labels = batch(2, 1, 16, 16)
    mixing = Mixing(3, mixup=1.0, cutmix=1.0)
    mixed = [mixing.apply(inputs, labels, seeded(seed))[0] for seed in range(100)]
    cuts = sum(set(found.unique().tolist()) <= {0.0, 1.0} for found in mixed)
    assert 30 < cuts < 70


@pytest.mark.parametrize("alphas", [(0.4, 0.0), (0.0, 1.0)])
def test_no_value_is_read_from_the_device(alphas):
    """The meta device stands for a GPU: it has no values, and reading one raises."""
    inputs, labels = (tensor.to("meta") for tensor in batch(8, 3, 8, 8))
    mixed, targets = Mixing(3, *alphas).apply(inputs, labels, seeded(1))
    assert (mixed.device.type, tuple(targets.shape)) == ("meta", (8, 3))
