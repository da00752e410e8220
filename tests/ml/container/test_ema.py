"""The moving average of weights and statistics, and its checkpoint."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ema import WeightAverage


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


def train_step(model: nn.Module, seed: int) -> None:
    inputs = torch.randn(8, 1, 4, 4, generator=torch.Generator().manual_seed(seed)) + seed
    model.train()
    model.zero_grad()
    model(inputs).square().sum().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter -= 0.01 * parameter.grad


def test_it_is_torch_s_average_once_the_decay_is_reached():
    model = network()
    ours = WeightAverage(model, decay=0.15)  # below (1 + 1) / (10 + 1)
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.15), use_buffers=True)
    theirs.n_averaged.fill_(1)  # torch would copy the first step
    for seed in range(5):
        train_step(model, seed)
        ours.update()
        theirs.update_parameters(model)
    for name, value in theirs.module.state_dict().items():
        if value.is_floating_point():
            assert torch.allclose(ours.model.state_dict()[name], value), name


def test_batch_norm_s_statistics_are_averaged_and_its_count_copied():
    model = network()
    average = WeightAverage(model, decay=0.9)
    for seed in range(20):
        train_step(model, seed)
        average.update()
    norm, averaged = model[1], average.model[1]
    assert averaged.num_batches_tracked == norm.num_batches_tracked == 20
    # The means rise with the seed: the average is behind.
    behind = averaged.running_mean.abs() < norm.running_mean.abs()
    assert behind.all()


def test_a_short_training_is_not_mostly_its_start():
    model = nn.Linear(1, 1)
    nn.init.zeros_(model.weight)
    average = WeightAverage(model, decay=0.9999)
    nn.init.ones_(model.weight)
    for _ in range(20):
        average.update()
    assert float(average.model.weight) > 0.9


def test_frozen_weights_stay_bit_equal():
    model = network()
    model[0].requires_grad_(False)
    average = WeightAverage(model, decay=0.9)
    for seed in range(3):
        train_step(model, seed)
        average.update()
    assert torch.equal(average.model[0].weight, model[0].weight)
    assert not torch.equal(average.model[3].weight, model[3].weight)
    assert not any(parameter.requires_grad for parameter in average.model.parameters())


def test_a_checkpoint_continues_bit_equal(tmp_path):
    whole, stopped = (network() for _ in range(2))
    averages = [WeightAverage(model, decay=0.9) for model in (whole, stopped)]
    for seed in range(3):
        for model, average in zip((whole, stopped), averages, strict=True):
            train_step(model, seed)
            average.update()
    torch.save([stopped.state_dict(), averages[1].state_dict()], tmp_path / "checkpoint.pt")
    resumed = network()
    average = WeightAverage(resumed, decay=0.9)
    weights, state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    resumed.load_state_dict(weights)
    average.load_state_dict(state)
    for seed in range(3, 6):
        train_step(whole, seed)
        train_step(resumed, seed)
        averages[0].update()
        average.update()
    for name, value in averages[0].model.state_dict().items():
        assert torch.equal(average.model.state_dict()[name], value), name


@pytest.mark.parametrize("decay", [0.0001, 0.99999])
def test_the_ends_of_the_range_are_finite(decay):
    model = network()
    average = WeightAverage(model, decay)
    train_step(model, 1)
    average.update()
    assert all(value.isfinite().all() for value in average.model.state_dict().values())


def test_no_value_is_read_from_the_device():
    """The meta device stands for a GPU: it has no values, and reading one raises."""
    average = WeightAverage(network().to("meta"), decay=0.9)
    average.update()
    assert next(average.model.parameters()).device.type == "meta"
