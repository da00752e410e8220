"""The log lines of metrics that the job's metric definitions parse."""

import math

import pytest

from evaluate import check_finite, metric_line


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
