"""Batches and shares: every image where it belongs, the same for every number of ranks."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sampling import evaluation_batches, imbalance, share, train_batches


def test_train_batches_have_every_index_once_and_similar_sizes():
    batches = train_batches(103, batch_size=20, seed=5, epoch=1)
    assert torch.cat(batches).sort().values.tolist() == list(range(103))
    assert sorted(len(batch) for batch in batches) == [17, 17, 17, 17, 17, 18]


@pytest.mark.parametrize("balance", [None, torch.tensor([0] * 45 + [1] * 5)])
def test_train_batches_depend_only_on_seed_and_epoch(balance):
    def order(**choice):
        return torch.cat(train_batches(50, batch_size=7, balance=balance, **choice)).tolist()

    assert order(seed=1, epoch=1) == order(seed=1, epoch=1)
    assert order(seed=1, epoch=1) != order(seed=1, epoch=2)
    assert order(seed=1, epoch=1) != order(seed=2, epoch=1)


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_balanced_batches_have_every_class_equally_often(counts, seed):
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    order = torch.cat(train_batches(len(labels), 8, seed, epoch=1, balance=labels))
    assert len(order) == len(labels)
    per_class = torch.bincount(labels[order], minlength=len(counts))
    assert per_class.max() - per_class.min() <= 1
    for label, count in enumerate(counts):
        repeated = torch.bincount(order[labels[order] == label], minlength=len(labels))[labels == label]
        assert repeated.max() - repeated.min() <= 1
        assert len(repeated) == count


def test_balanced_epochs_reach_every_image_of_a_large_class():
    labels = torch.tensor([0] * 60 + [1] * 4)
    seen = {
        index
        for epoch in range(1, 12)
        for index in torch.cat(train_batches(64, 16, 0, epoch, balance=labels)).tolist()
    }
    assert seen == set(range(64))


@given(count=st.integers(0, 40), ranks=st.integers(1, 5), pairs=st.booleans())
def test_shares_have_every_place_once(count, ranks, pairs):
    shares = [share(count, rank, ranks, pairs) for rank in range(ranks)]
    assert torch.cat(shares).sort().values.tolist() == list(range(count))
    if pairs:
        for places in map(set, (found.tolist() for found in shares)):
            assert all(place ^ 1 in places for place in places if place ^ 1 < count)


@pytest.mark.parametrize("count", [1, 10, 11])
def test_evaluation_batches_of_all_ranks_have_every_index_once(count):
    shares = [
        index for rank in range(3) for b in evaluation_batches(count, 2, rank, 3) for index in b.tolist()
    ]
    assert sorted(shares) == list(range(count))


def test_the_imbalance_is_of_the_classes_that_have_images():
    assert imbalance(torch.tensor([0] * 30 + [2] * 3)) == 10
