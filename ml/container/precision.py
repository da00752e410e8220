"""The precision of the forward pass, autocast for it, and the memory format of convolutions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)

# Below this, autocast's conversions cost more than they save on a CPU.
_SMALL_NETWORK = 50e6  # floating point operations per image


def choose_precision(wanted: str, device: torch.device, flops: float) -> torch.dtype:
    """Return the data type of the forward pass.

    wanted: auto, float32, bfloat16 or float16. auto is bfloat16 where the hardware computes it: GPUs since Ampere, CPUs
        with AMX or AVX-512 BF16. Older GPUs get float16.
    flops: floating point operations of the network per image.
    """
    if wanted != "auto":
        dtype: torch.dtype = getattr(torch, wanted)
        return dtype
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    fast = bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
    return torch.bfloat16 if fast and flops >= _SMALL_NETWORK else torch.float32


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[None]:
    """Return a context in which the forward pass has the precision; the weights stay float32."""
    context: AbstractContextManager[None] = torch.autocast(
        device.type, dtype=precision, enabled=precision != torch.float32
    )
    return context


def channels_last(model: Module) -> Module:
    """Store the weights of convolutions as their fastest implementations read them. Changes no value."""
    anything: Any = model  # torch's annotations do not know the argument
    converted: Module = anything.to(memory_format=torch.channels_last)
    return converted
