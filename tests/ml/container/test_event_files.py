"""TensorBoard's event files, read back with TensorBoard."""

import sys

import pytest
import torch

import event_files
from evaluation import evaluate_outputs
from tests.ml.container.test_evaluation import outputs


def read(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder)).Reload()


def test_curves_and_the_evaluation_are_read_back(tmp_path):
    history = [{"train:loss": 1.0, "validation:accuracy": 0.5, "learning_rate": 0.1}]
    files = event_files.in_folder(tmp_path, history, print)
    files.epoch(2, {"train:loss": 0.5, "validation:accuracy": 0.75, "learning_rate": 0.05})
    evaluation = evaluate_outputs(outputs("test", 1), outputs("valid", 2), ("a", "b", "c"))
    files.evaluation(evaluation, 2)
    files.close()
    events = read(tmp_path)
    found = {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in ("loss/train", "accuracy/validation", "learning_rate", "final/test_accuracy")
    }
    assert found["loss/train"] == [(1, 1.0), (2, 0.5)]
    assert found["accuracy/validation"] == [(1, 0.5), (2, 0.75)]
    assert found["learning_rate"] == [(1, pytest.approx(0.1)), (2, pytest.approx(0.05))]
    assert found["final/test_accuracy"] == [(2, pytest.approx(evaluation["accuracy"]))]
    (picture,) = events.Images("confusion_matrix/test")
    assert (picture.width, picture.height) == (399, 399)


def test_without_tensorboard_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    lines = []
    files = event_files.in_folder(tmp_path, [], lines.append)
    files.epoch(1, {"train:loss": 1.0})
    files.evaluation({}, 1)
    files.close()
    assert lines == ["tensorboard is not installed: there are no event files"]
    assert list(tmp_path.iterdir()) == []


def test_the_picture_of_a_confusion_matrix_is_dark_where_the_images_are():
    picture = event_files.matrix_picture(torch.tensor([[3, 1], [0, 0]]))
    assert picture.shape == (1, 400, 400)
    assert [picture[0, y, x].item() for y, x in ((0, 0), (0, 399), (399, 0))] == [64, 191, 255]
