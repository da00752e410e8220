"""Import torchvision, also when its compiled operators do not load."""

from pathlib import Path

import torch


def _operators_load() -> bool:
    """Return whether torchvision's compiled extension loads with this torch. It does in AWS's images."""
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


# Importing a CUDA build of torchvision with a CPU build of torch fails: it registers shapes for two operators that do
# not exist. The models need neither, so declaring them is enough.
# Keep the reference: torch removes the declarations when the object is deleted.
_declared: torch.library.Library | None = None
if not _operators_load():
    _declared = torch.library.Library("torchvision", "FRAGMENT")
    _declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision import models  # noqa: E402

__all__ = ["models"]
