"""Metrics per image, and the log lines that the job's metric definitions parse."""

import math

import pytest
import torch

from evaluate import Metrics, check_finite, metric_line


def test_metrics_do_not_depend_on_the_batch_sizes():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [3.0, 0.0]])
    labels = torch.tensor([0, 1, 1])
    losses = [math.log(1 + math.exp(-2)), math.log(1 + math.exp(-1)), math.log(1 + math.exp(3))]
    whole, parts = Metrics(2), Metrics(2)
    whole.add(logits, labels)
    parts.add(logits[:1], labels[:1])
    parts.add(logits[1:], labels[1:])
    for metrics in (whole, parts):
        assert metrics.count == 3
        assert metrics.loss == pytest.approx(sum(losses) / 3, abs=1e-6)
        assert metrics.accuracy == pytest.approx(2 / 3)
        assert metrics.confusion.tolist() == [[1, 0], [1, 1]]


def test_metric_line_of_an_epoch():
    metrics = {
        "train:loss": 0.1234,
        "train:accuracy": 0.9,
        "validation:loss": 1e-7,
        "validation:accuracy": 1.0,
        "images_per_second": 1234.56,
    }
    assert metric_line(metrics, epoch=3) == (
        "epoch=3 train:loss=0.123400 train:accuracy=0.900000 validation:loss=0.000000 "
        "validation:accuracy=1.000000 images_per_second=1234.6"
    )


def test_metric_line_without_an_epoch():
    assert (
        metric_line({"test:loss": 0.5, "test:accuracy": 0.75}) == "test:loss=0.500000 test:accuracy=0.750000"
    )


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_check_finite_names_the_metric_and_the_epoch(value):
    with pytest.raises(FloatingPointError, match=f"train:loss is {value} in epoch 4"):
        check_finite({"train:loss": value}, epoch=4)
