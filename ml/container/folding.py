"""Fold the batch normalizations of a frozen network into its convolutions, which saves a pass over the memory for each."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_TOLERANCE = 1e-3  # of the largest output; rounding stays below a hundredth of it


def fold_batch_norms(network: nn.Module, example: torch.Tensor) -> nn.Module:
    """Return a copy in evaluation mode that computes the same in float32, up to rounding.

    A convolution is folded with the normalization that follows it among its parent's children, which is their order of
    execution in all networks that we know. Where the example shows another result, the copy is of the network as it is.

    example: float32 [N, channels, H, W].
    """
    network = copy.deepcopy(network).eval().requires_grad_(False)
    folded = copy.deepcopy(network)
    for parent in folded.modules():
        for (conv_name, conv), (norm_name, norm) in pairwise(list(parent.named_children())):
            if isinstance(conv, nn.Conv2d) and type(norm) is nn.BatchNorm2d:
                setattr(parent, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(parent, norm_name, nn.Identity())
    with torch.inference_mode():
        expected, found = network(example), folded(example)
    equal = (found - expected).abs().max() <= _TOLERANCE * expected.abs().max()
    return folded if equal else network
