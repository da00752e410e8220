"""Early stopping: the best epoch is kept, also over a checkpoint."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from early_stopping import EarlyStopping

losses = st.lists(st.floats(0, 10), min_size=1, max_size=20)


def weights(value: float) -> dict[str, torch.Tensor]:
    return {"weight": torch.tensor([value])}


@given(losses=losses, patience=st.integers(1, 5))
def test_the_first_epoch_with_the_lowest_loss_is_kept(losses, patience):
    stopping = EarlyStopping(patience)
    for epoch, loss in enumerate(losses, 1):
        stopping.update(epoch, loss, weights(epoch))
    best = losses.index(min(losses)) + 1
    assert (stopping.epoch, stopping.loss) == (best, min(losses))
    assert stopping.weights["weight"].item() == best
    assert stopping.is_due(len(losses)) == (len(losses) - best >= patience)


@given(losses=losses, patience=st.integers(0, 3), cut=st.integers(0, 20))
def test_a_checkpoint_continues_as_if_uninterrupted(losses, patience, cut):
    whole, resumed = EarlyStopping(patience), EarlyStopping(patience)
    for epoch, loss in enumerate(losses, 1):
        if epoch == cut:
            state = resumed.state_dict()
            resumed = EarlyStopping(patience)
            resumed.load_state_dict(state)
        whole.update(epoch, loss, weights(epoch))
        resumed.update(epoch, loss, weights(epoch))
        assert resumed == whole
        assert resumed.is_due(epoch) == whole.is_due(epoch)


def test_without_patience_nothing_is_kept_and_nothing_stops():
    stopping = EarlyStopping(0)
    stopping.update(1, 1.0, weights(1))
    assert stopping.weights == {}
    assert not stopping.is_due(1000)


def test_the_kept_weights_do_not_change_with_the_model():
    stopping, trained = EarlyStopping(1), weights(1)
    stopping.update(1, 1.0, trained)
    trained["weight"] += 1
    assert stopping.weights["weight"].item() == 1
