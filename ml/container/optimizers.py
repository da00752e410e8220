"""PyTorch's optimizers, without the import of `torch.compile`.

Their methods are decorated for `torch.compile`, and the first call of each imports its front end, torch._dynamo: two
seconds of processor time, as long as the import of torch itself. Nothing here is compiled.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.optim import Optimizer

_METHODS = ("add_param_group", "load_state_dict", "state_dict", "step", "zero_grad")


def _undecorated(kind: type[Optimizer]) -> Any:
    methods = {name: inspect.unwrap(getattr(kind, name)) for name in _METHODS}
    # What its decorator does for an optimizer that is not differentiable.
    methods["step"] = torch.no_grad()(methods["step"])
    return type(kind.__name__, (kind,), methods)


SGD = _undecorated(torch.optim.SGD)
AdamW = _undecorated(torch.optim.AdamW)
LBFGS = _undecorated(torch.optim.LBFGS)
