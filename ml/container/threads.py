"""How many threads the network's operations use."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

# A thread needs this much work per step, or waiting for the others costs more than it computes. Measured on 2 busy cores
# with small_cnn (32 pixels, batch 64: 0.3e9 per step): 38 s of processor time with two threads, 4.4 s with one.
FLOPS_PER_THREAD = 2e9


def count_flops(model: nn.Module, channels: int, image_size: int) -> float:
    """Return the floating point operations of the forward pass of one image, in convolutions and linear layers. Runs one.

    torch.utils.flop_counter counts all, but imports torch.compile, which takes two seconds.
    """
    counts: list[int] = []

    def count(layer: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        weight = cast(torch.Tensor, layer.weight)
        # Each output is a sum of products with the weights of its channel.
        counts.append(2 * output.numel() * weight[0].numel())

    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    training = model.training
    model.eval()
    with torch.no_grad():
        model(torch.zeros(1, channels, image_size, image_size, device=next(model.parameters()).device))
    model.train(training)
    for hook in hooks:
        hook.remove()
    return float(sum(counts))


def set_threads(flops_per_step: float, ranks: int) -> int:
    """Set and return the number of threads: one for each FLOPS_PER_THREAD of a step, up to the rank's processors.

    Depends on the work alone, not on the load of the machine: another number of threads adds up in another order, and a
    resumed run must give the numbers of an uninterrupted one. OMP_NUM_THREADS, if set, is an upper limit.

    ranks: on this host, which share its processors.
    """
    available = max(1, torch.get_num_threads() // ranks)
    threads = max(1, min(available, int(flops_per_step // FLOPS_PER_THREAD)))
    torch.set_num_threads(threads)
    return threads
