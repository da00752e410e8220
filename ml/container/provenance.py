"""Where a model comes from: the libraries and the hardware it was trained with."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata

import torch

from process_group import ProcessGroup

_LIBRARIES = ("torch", "torchvision", "timm", "numpy", "pillow")


def libraries() -> dict[str, str]:
    """Return the versions of Python and of the installed libraries that decide a result."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def hardware(group: ProcessGroup, variables: Mapping[str, str] = os.environ) -> dict[str, str | int]:
    """Return the hardware: ranks, kind of device, instance type on SageMaker, name of the GPU or of the processor.

    variables: of the SageMaker toolkit.
    """
    found: dict[str, str | int] = {
        "ranks": group.world_size,
        "device": group.device.type,
        "processors": os.cpu_count() or 1,
        "machine": platform.machine(),
    }
    if group.device.type == "cuda":
        found["gpu"] = torch.cuda.get_device_name(group.device)
        found["cuda"] = str(torch.version.cuda)
    else:
        found["instructions"] = torch.backends.cpu.get_cpu_capability()
    if kind := variables.get("SM_CURRENT_INSTANCE_TYPE"):
        found["instance_type"] = kind
    return found
