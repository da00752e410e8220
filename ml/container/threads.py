"""How many threads the network's operations use."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

# A thread needs this much work per step, or waiting for the others costs more than it computes. Measured on 2 busy cores
# with small_cnn (32 pixels, batch 64: 0.3e9 per step): 38 s of processor time with two threads, 4.4 s with one.
FLOPS_PER_THREAD = 2e9


def count_flops(model: nn.Module, channels: int, image_size: int) -> float:
    """Return the floating point operations of the forward pass of one image. Runs one."""
    training = model.training
    model.eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, channels, image_size, image_size, device=next(model.parameters()).device))
    model.train(training)
    return float(counter.get_total_flops())


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
