"""The evaluation of a model on a split, exact over all ranks, and the log lines that report metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from evaluation import Outputs
from examples import Examples
from metrics import Metrics, RunningMetrics
from precision import autocast
from process_group import ProcessGroup
from sampling import evaluation_batches


@torch.inference_mode()
def evaluate(
    model: nn.Module,
    examples: Examples,
    batch_size: int,
    group: ProcessGroup,
    precision: torch.dtype = torch.float32,
) -> Metrics:
    """Return the metrics of a split over all ranks. Each rank evaluates its share. Collective.

    precision: of the forward pass.
    """
    model.eval()
    metrics = RunningMetrics(len(examples.split.classes), group.device)
    share = evaluation_batches(len(examples.split.labels), batch_size, group.rank, group.world_size)
    for inputs, labels in examples.evaluation_batches(share, group):
        with autocast(group.device, precision):
            logits = model(inputs)
        metrics.add(logits.float(), labels)
    return metrics.reduce(group)


@torch.inference_mode()
def predict_outputs(model: nn.Module, examples: Examples, batch_size: int, group: ProcessGroup) -> Outputs:
    """Return the logits of every image of a split, in float32 as the model is served, in image order. Collective."""
    model.eval()
    split = examples.split
    share = evaluation_batches(len(split.labels), batch_size, group.rank, group.world_size)
    rows = [model(inputs) for inputs, _ in examples.evaluation_batches(share, group)]
    empty = torch.zeros(0, len(split.classes), device=group.device)
    logits = group.gather(torch.cat([*rows, empty]), len(split.labels)).cpu()
    images = [f"{path.parent.name}/{path.name}" for path in split.paths]
    return Outputs(split.name, logits, split.labels, images)


def metric_line(metrics: Mapping[str, float], epoch: int | None = None) -> str:
    """Return the log line that the job's metric definitions parse: `epoch=3 train:loss=0.123400 …`."""
    formats = {"images_per_second": ".1f", "learning_rate": ".6g"}
    values = [f"{name}={value:{formats.get(name, '.6f')}}" for name, value in metrics.items()]
    return " ".join(values if epoch is None else [f"epoch={epoch}", *values])


def check_finite(metrics: Mapping[str, float], epoch: int) -> None:
    """Raise FloatingPointError, with the epoch, when a value is NaN or infinite."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise FloatingPointError(f"{name} is {value} in epoch {epoch}; lower --learning-rate")
