"""Checkpoints that cannot be used are refused in one sentence."""

import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import checkpoint
from errors import InputError
from hyperparameters import Hyperparameters
from training_state import TrainingState


def state() -> TrainingState:
    model = nn.Linear(3, 2)
    groups = [{"params": list(model.parameters())}]
    return TrainingState.initial(model, groups, 64, Hyperparameters(), torch.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> bytes:
    folder = tmp_path_factory.mktemp("checkpoint")
    checkpoint.save(folder, state(), {"epochs": 8})
    content = checkpoint.read(folder)
    assert content is not None
    return content


def test_a_checkpoint_is_restored(saved):
    checkpoint.restore(saved, state(), {"epochs": 8})


@given(data=st.data())
def test_a_damaged_checkpoint_is_refused(saved, data):
    """Cut off, overwritten in the middle, or something else."""
    cut = data.draw(st.integers(0, len(saved) - 1))
    noise = data.draw(st.binary(max_size=40))
    for damaged in (saved[:cut], noise, noise + saved[:cut]):
        with pytest.raises(InputError, match="is not a checkpoint of this program, or is damaged"):
            checkpoint.restore(damaged, state(), {"epochs": 8})


def test_other_content_is_refused():
    buffer = io.BytesIO()
    torch.save([1, 2], buffer)
    with pytest.raises(
        InputError, match=f"checkpoint.pt .{len(buffer.getvalue())} bytes. is not a checkpoint"
    ):
        checkpoint.restore(buffer.getvalue(), state(), {})
