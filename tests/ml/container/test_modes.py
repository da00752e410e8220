"""What each mode trains, at which rate, and what stays as it is."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import architectures
from hyperparameters import (
    FINE_TUNING,
    FROM_SCRATCH,
    GRADUAL_UNFREEZING,
    LINEAR_PROBE,
    MODES,
    Hyperparameters,
)
from model import build_model
from modes import parameter_groups, set_trainable, stages
from tests.ml.container.models import FAMILIES, shape_of


def trained(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_optimizer_has_each_parameter_that_is_ever_trained_once(name, mode):
    model, architecture = shape_of(name), architectures.resolve(name)
    hyperparameters = Hyperparameters(mode=mode, layer_decay=0.7, weight_decay=0.1)
    last = 1 + len(stages(model, architecture))
    set_trainable(model, architecture, hyperparameters, epoch=last)
    groups = parameter_groups(model, architecture, hyperparameters)
    ids = [id(parameter) for group in groups for parameter in group["params"]]
    assert len(ids) == len(set(ids))
    assert set(ids) == {id(parameter) for parameter in trained(model)}
    assert {group["weight_decay"] for group in groups} == {0.0, 0.1}
    for group in groups:
        if group["weight_decay"]:
            assert all(parameter.ndim > 1 for parameter in group["params"])


def test_tokens_and_embeddings_of_a_transformer_do_not_decay():
    model, architecture = shape_of("vit_b_32"), architectures.resolve("vit_b_32")
    groups = parameter_groups(model, architecture, Hyperparameters(mode=FINE_TUNING, weight_decay=0.1))
    decayed = {id(parameter) for group in groups if group["weight_decay"] for parameter in group["params"]}
    named = dict(model.backbone.named_parameters())
    assert id(named["encoder.pos_embedding"]) not in decayed
    assert id(named["class_token"]) not in decayed
    assert id(named["conv_proj.weight"]) in decayed


@given(
    mode=st.sampled_from((FROM_SCRATCH, GRADUAL_UNFREEZING, FINE_TUNING)),
    decay=st.floats(0.01, 1.0),
    share=st.floats(0.0, 1.0),
    rate=st.floats(1e-6, 1.0),
)
def test_rates_fall_from_the_head_to_the_input(mode, decay, share, rate):
    model, architecture = shape_of("small_cnn"), architectures.resolve("small_cnn")
    hyperparameters = Hyperparameters(mode=mode, layer_decay=decay, backbone_rate=share, learning_rate=rate)
    rates = {
        id(parameter): group["lr"]
        for group in parameter_groups(model, architecture, hyperparameters)
        for parameter in group["params"]
    }
    assert {rates[id(parameter)] for parameter in model.head.parameters()} == {rate}
    found = stages(model, architecture)
    top = rate if mode == FROM_SCRATCH else rate * share
    for number, stage in enumerate(found):
        expected = top * decay ** (len(found) - number)
        assert [rates[id(parameter)] for parameter in stage.values()] == pytest.approx(
            [expected] * len(stage)
        )


@given(epoch=st.integers(1, 30), step=st.integers(1, 9))
def test_gradual_unfreezing_adds_one_stage_at_a_time_from_the_output(epoch, step):
    model, architecture = shape_of("small_cnn"), architectures.resolve("small_cnn")
    hyperparameters = Hyperparameters(mode=GRADUAL_UNFREEZING, unfreeze_epochs=step)
    set_trainable(model, architecture, hyperparameters, epoch)
    found = stages(model, architecture)
    open_stages = min(len(found), (epoch - 1) // step)
    expected = [number >= len(found) - open_stages for number in range(len(found))]
    assert [all(p.requires_grad for p in stage.values()) for stage in found] == expected
    assert [any(p.requires_grad for p in stage.values()) for stage in found] == expected
    assert all(parameter.requires_grad for parameter in model.head.parameters())


def test_a_change_of_what_is_trained_is_reported():
    model = build_model("small_cnn", 2, image_size=8)
    architecture = architectures.resolve("small_cnn")
    hyperparameters = Hyperparameters(mode=GRADUAL_UNFREEZING, unfreeze_epochs=2)
    changes = [set_trainable(model, architecture, hyperparameters, epoch) for epoch in range(1, 10)]
    assert changes == [True, False, True, False, True, False, True, False, False]
    assert not set_trainable(model, architecture, Hyperparameters(mode=FROM_SCRATCH), epoch=1)


@pytest.mark.parametrize(
    ("mode", "epoch", "first"),
    [(LINEAR_PROBE, 1, 8), (GRADUAL_UNFREEZING, 1, 8), (GRADUAL_UNFREEZING, 3, 6), (FINE_TUNING, 1, 0)],
)
def test_frozen_stages_keep_parameters_and_statistics(mode, epoch, first):
    """first: the first stage that is trained; EfficientNet-Lite0 has 8."""
    torch.manual_seed(0)
    model = build_model("efficientnet_lite0", 3, image_size=32, head="original")
    architecture = architectures.resolve("efficientnet_lite0")
    hyperparameters = Hyperparameters(mode=mode, backbone_rate=1.0, weight_decay=0.1)
    set_trainable(model, architecture, hyperparameters, epoch)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.AdamW(parameter_groups(model, architecture, hyperparameters), lr=0.1)
    model(torch.randn(4, 3, 32, 32)).square().sum().backward()
    optimizer.step()

    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    found = stages(model, architecture)
    modules = [{f"backbone.{name.rpartition('.')[0]}." for name in stage} for stage in found]
    for number, names in enumerate(modules):
        moved = [name for name in changed if any(name.startswith(module) for module in names)]
        assert bool(moved) is (number >= first), number
        statistics = [
            name for name in moved if name.endswith(("running_mean", "running_var", "num_batches_tracked"))
        ]
        assert bool(statistics) is (number >= first), number
    assert any(name.startswith("head.") for name in changed)


def test_a_frozen_backbone_gives_the_same_features_in_training():
    """Dropout and stochastic depth are off in it, so that features can be computed once."""
    torch.manual_seed(0)
    model = build_model("efficientnet_b0", 3, image_size=32)
    architecture = architectures.resolve("efficientnet_b0")
    set_trainable(model, architecture, Hyperparameters(mode=LINEAR_PROBE), epoch=1)
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model.backbone(images), model.backbone(images))
        assert model.head.training
