"""The only place that imports torchvision, with or without its compiled operators."""

from pathlib import Path

import torch


def _operators_load() -> bool:
    """Whether torchvision's compiled extension loads beside this torch (it does in AWS's images)."""
    import importlib.util

    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("torchvision is not installed", name="torchvision")
    extensions = list(Path(spec.origin).parent.glob("_C*.so"))
    try:
        for extension in extensions:
            torch.ops.load_library(extension)
    except OSError:
        return False
    return bool(extensions)


# A CUDA build of torchvision beside a CPU torch fails on import, because it registers shapes for two
# operators that were never defined. The models need neither: declaring them is enough.
# The reference must live: torch drops the declarations with the object.
_declared: torch.library.Library | None = None
if not _operators_load():
    _declared = torch.library.Library("torchvision", "FRAGMENT")
    _declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision import models  # noqa: E402

__all__ = ["models"]
