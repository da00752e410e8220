"""What each mode trains: which parameters in which epoch, and their learning rates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

import timm_models
from architectures import Architecture
from hyperparameters import GRADUAL_UNFREEZING, LINEAR_PROBE, Hyperparameters
from model import Classifier

Parameters = dict[str, nn.Parameter]
# Weight decay would pull these to zero without making the network simpler, as with biases and norms.
_NO_DECAY = (
    "class_token",
    "cls_token",
    "pos_embed",
    "pos_embedding",
    "relative_position_bias_table",
    "layer_scale",
)


def stages(model: Classifier, architecture: Architecture) -> list[Parameters]:
    """Return the parameters of each stage of the backbone, by name, from input to output.

    Every parameter of the backbone is in one stage.
    """
    named = dict(model.backbone.named_parameters())
    if architecture.is_timm:
        return [{name: named[name] for name in names} for names in timm_models.stages(model.backbone)]
    found: list[Parameters] = [{}]
    starts = list(architecture.stages[1:])  # whatever comes before the second start is in the first stage
    for name, parameter in named.items():
        if starts and (name == starts[0] or name.startswith(f"{starts[0]}.")):
            starts.pop(0)
            found.append({})
        found[-1][name] = parameter
    return found


def set_trainable(
    model: Classifier, architecture: Architecture, hyperparameters: Hyperparameters, epoch: int
) -> bool:
    """Set which parameters require gradients in an epoch, and the training mode of every module.

    epoch: from 1. linear-probe trains the head. gradual-unfreezing trains the head, and after each unfreeze_epochs one more
        stage of the backbone, the last one first. The other modes train everything.
    Modules whose parameters are all frozen are in evaluation mode, so that the statistics of their BatchNorm do not change.

    Returns whether other parameters require gradients than before: DistributedDataParallel must wrap the model again.
    """
    groups = stages(model, architecture)
    frozen = _frozen_stages(len(groups), hyperparameters, epoch)
    changed = False
    for number, stage in enumerate(groups):
        for parameter in stage.values():
            changed |= parameter.requires_grad is (number < frozen)
            parameter.requires_grad_(number >= frozen)
    model.head.requires_grad_(True)
    model.train()
    for module in model.backbone.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            module.eval()
    return changed


def parameter_groups(
    model: Classifier, architecture: Architecture, hyperparameters: Hyperparameters
) -> list[dict[str, Any]]:
    """Return the optimizer's groups: every parameter that the mode trains in any epoch, in one group each.

    params: list of parameters.
    lr: of the head, learning_rate. Of the backbone, that times backbone_rate when it starts from weights, and times
        layer_decay once for each stage between it and the logits, the head included.
    weight_decay: 0 for biases, norms, embeddings and other parameters that do not multiply features.
    """
    rate = hyperparameters.learning_rate
    parts: list[tuple[float, Iterable[tuple[str, nn.Parameter]]]] = [(rate, model.head.named_parameters())]
    if hyperparameters.mode != LINEAR_PROBE:
        if hyperparameters.starts_from_weights:
            rate *= hyperparameters.backbone_rate
        backbone = stages(model, architecture)
        parts += [
            (rate * hyperparameters.layer_decay ** (len(backbone) - number), stage.items())
            for number, stage in enumerate(backbone)
        ]
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for lr, named in parts:
        for name, parameter in named:
            decay = hyperparameters.weight_decay if _decays(name, parameter) else 0.0
            groups.setdefault((lr, decay), []).append(parameter)
    return [{"params": params, "lr": lr, "weight_decay": decay} for (lr, decay), params in groups.items()]


def _frozen_stages(count: int, hyperparameters: Hyperparameters, epoch: int) -> int:
    if hyperparameters.mode == LINEAR_PROBE:
        return count
    if hyperparameters.mode == GRADUAL_UNFREEZING:
        return max(0, count - (epoch - 1) // hyperparameters.unfreeze_epochs)
    return 0


def _decays(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim > 1 and name.rpartition(".")[2] not in _NO_DECAY
