"""The architectures: output shapes, frozen backbones, refused weights."""

import pytest
import torch

from errors import InputError
from model import ARCHITECTURES, build_model, default_preprocess, train_mode


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 32), (3, 28)])
def test_small_cnn_returns_a_logit_per_class(channels, size):
    model = build_model("small_cnn", classes=7, channels=channels)
    assert model(torch.randn(2, channels, size, size)).shape == (2, 7)


def test_the_output_of_small_cnn_does_not_depend_on_the_batch():
    model = build_model("small_cnn", classes=3, channels=1).train()
    images = torch.randn(5, 1, 16, 16)
    assert torch.allclose(model(images)[2], model(images[2:3])[0], atol=1e-5)


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v3_small"])
def test_training_changes_only_the_head_of_a_pretrained_model(architecture, tmp_path):
    from torchvision import models

    weights = tmp_path / f"{architecture}.pth"
    torch.save(getattr(models, architecture)(weights=None).state_dict(), weights)
    model = build_model(architecture, classes=4, weights=weights)
    head = ARCHITECTURES[architecture].head
    before = {name: value.clone() for name, value in model.state_dict().items()}

    train_mode(model, head)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(torch.randn(2, 3, 64, 64)).square().sum().backward()
    optimizer.step()

    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert all(name.startswith(f"{head}.") for name in changed)


def test_without_weights_all_parameters_are_trained():
    model = build_model("small_cnn", classes=2, channels=1)
    train_mode(model, "head")
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert all(module.training for module in model.modules())


def test_build_model_refuses_weights_of_another_architecture(tmp_path):
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"weights.pth is not a torchvision state_dict of resnet18"):
        build_model("resnet18", classes=2, weights=tmp_path / "weights.pth")


def test_build_model_refuses_an_unknown_architecture_and_weights_for_small_cnn(tmp_path):
    with pytest.raises(InputError, match="'vgg'"):
        build_model("vgg", classes=2)
    with pytest.raises(InputError, match="small_cnn has no pretrained weights"):
        build_model("small_cnn", classes=2, weights=tmp_path / "any.pth")


def test_the_default_transform_depends_on_the_architecture():
    resnet = default_preprocess("resnet50", image_size=224, channels=1)
    assert (resnet.resize_size, resnet.channels, resnet.mean) == (256, 3, (0.485, 0.456, 0.406))
    small = default_preprocess("small_cnn", image_size=32, channels=1)
    assert (small.resize_size, small.channels, small.mean) == (32, 1, (0.5,))
