"""What the stages show of a job's log, and what a rollback deploys."""

import pytest

from pipeline import stages

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


def test_a_rollback_deploys_the_model_before(monkeypatch, dev, serving):
    group = serving.model_package_arn.rpartition("/")[0]
    asked = []
    monkeypatch.setattr(stages.handover, "serving", lambda settings, endpoint: serving)
    monkeypatch.setattr(stages.generations, "previous_package", lambda settings, endpoint: f"{group}/12")
    monkeypatch.setattr(stages, "deploy", lambda *given, **named: asked.append((*given, named)))
    stages.rollback(dev, "multi")
    assert asked == [(dev, 12, "multi", {"name": "rollback"})]
