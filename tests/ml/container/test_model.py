"""The classifier: shapes, heads, refused names and sizes."""

import pytest
import torch

import architectures
from errors import InputError
from model import build_model, default_preprocess


@pytest.mark.parametrize(("channels", "size"), [(1, 8), (1, 32), (3, 28)])
def test_small_cnn_returns_a_logit_per_class(channels, size):
    model = build_model("small_cnn", classes=7, channels=channels, image_size=size)
    assert model(torch.randn(2, channels, size, size)).shape == (2, 7)


def test_the_output_of_small_cnn_does_not_depend_on_the_batch():
    model = build_model("small_cnn", classes=3, channels=1, image_size=16).train()
    images = torch.randn(5, 1, 16, 16)
    assert torch.allclose(model(images)[2], model(images[2:3])[0], atol=1e-5)


def test_build_model_refuses_an_unknown_architecture_and_an_unknown_head():
    with pytest.raises(InputError, match="'vgg'"):
        build_model("vgg", classes=2, image_size=32)
    with pytest.raises(InputError, match="unknown head 'cosine'; use one of linear, original"):
        build_model("small_cnn", classes=2, image_size=32, head="cosine")


def test_the_default_transform_depends_on_the_architecture():
    resnet = default_preprocess("resnet50", image_size=224, channels=1)
    assert (resnet.resize_size, resnet.channels, resnet.mean) == (232, 3, architectures.IMAGENET_MEAN)
    small = default_preprocess("small_cnn", image_size=32, channels=1)
    assert (small.resize_size, small.channels, small.mean) == (32, 1, (0.5,))
