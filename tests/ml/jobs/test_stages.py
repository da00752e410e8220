"""What the stages show of a job's log."""

import pytest

from ml.jobs import stages

EPOCH = (
    "epoch=3 train:loss=0.188312 train:accuracy=0.972994 validation:loss=0.228156 validation:accuracy=0.940520 "
    "images_per_second=2115.1"
)


def test_an_epoch_is_told_in_short():
    told = "epoch 3: train loss 0.1883, validation loss 0.2282 accuracy 0.9405, 2,115 images/s"
    assert stages._progress(EPOCH) == told


@pytest.mark.parametrize(
    "line", ["", "Starting", "epoch=", "epoch=1 train:loss=nonsense", "a=b=c", "test:loss=0.1"]
)
def test_other_lines_are_left_out(line):
    assert stages._progress(line) == ""
