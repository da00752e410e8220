"""Makes `import torchvision` work where its compiled operators cannot be loaded.

A torchvision that was built for CUDA does not load its operators beside a torch that was built for the CPU, and its
import fails because two of them are missing. Declaring the two is enough for everything that does not call a compiled
operator: models, transforms, data sets. A call of one, such as `ops.nms`, fails with torchvision's own error.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch

OPERATORS = ("nms", "qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
CUDA_BUILD = re.compile(r"__version__ = '[^']*\+cu\d+'")


def declare() -> None:
    """Declare the operators that the import needs, unless torch and torchvision were built for each other.

    torch calls this at the end of its own import: it is the entry point "torch.backends" of this package.
    """
    if torch.version.cuda is None and _built_for_cuda():
        for name in OPERATORS:
            torch.library.define(f"torchvision::{name}", SCHEMA)


def _built_for_cuda() -> bool:
    """Return whether the installed torchvision was built for CUDA. Does not import it."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False
    version = Path(spec.origin).with_name("version.py")
    return version.exists() and CUDA_BUILD.search(version.read_text(encoding="utf-8")) is not None
