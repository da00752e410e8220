"""What the training stage shows of a job's log."""

import pytest

from pipeline import train

EPOCH = (
    "epoch=3 train:loss=0.188312 train:accuracy=0.972994 validation:loss=0.228156 validation:accuracy=0.940520 "
    "images_per_second=2115.1"
)


def test_the_metrics_of_an_epoch_are_shown():
    shown = "epoch 3: train loss 0.1883, validation loss 0.2282 accuracy 0.9405, 2,115 images/s"
    assert train.epoch_progress(EPOCH) == shown


@pytest.mark.parametrize(
    "line", ["", "Starting", "epoch=", "epoch=1 train:loss=nonsense", "a=b=c", "test:loss=0.1"]
)
def test_other_lines_have_no_metrics_to_show(line):
    assert train.epoch_progress(line) == ""
