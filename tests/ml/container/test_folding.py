"""Folding keeps what a network computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import architectures
from folding import fold_batch_norms
from networks import build_network


def with_statistics(network: nn.Module) -> nn.Module:
    """Give batch normalizations the parameters and statistics of a trained network: all different."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_var, module.weight.data):
                tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
            for tensor in (module.running_mean, module.bias.data):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / 10)
    return network


@pytest.mark.parametrize(
    ("name", "folded"),
    [("resnet18", 20), ("mobilenet_v3_small", 34), ("efficientnet_lite0", 49)],
)
def test_a_folded_network_computes_the_same(name, folded):
    network = with_statistics(build_network(architectures.resolve(name), channels=3, image_size=64).backbone)
    images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    result = fold_batch_norms(network, images[:1])
    with torch.inference_mode():
        torch.testing.assert_close(result(images), network.eval()(images), rtol=1e-3, atol=1e-4)
    assert sum(isinstance(module, nn.Identity) for module in result.modules()) >= folded
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


class Crossed(nn.Module):
    """Has a normalization after a convolution among its children, and runs them the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.normalization = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.convolution(self.normalization(images))


def test_a_network_with_another_order_is_kept():
    network = with_statistics(Crossed())
    images = torch.rand(2, 3, 8, 8)
    result = fold_batch_norms(network, images)
    with torch.inference_mode():
        assert torch.equal(result(images), network.eval()(images))
