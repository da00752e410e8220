"""Features of a frozen backbone: computed once, resumed, read by other jobs, equal to the whole model's."""

import json
import re
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest
import torch

import features
import train
from checkpoint import FILE_NAME
from efficientnet_lite import EfficientNetLite0
from environment import TrainingEnvironment
from errors import InputError
from evaluate import predict_outputs
from hyperparameters import Hyperparameters
from ml.jobs.features import SECONDS
from ml.jobs.job_inputs import metric_definitions
from predict import Predictor
from process_group import ProcessGroup
from run import Run
from run_setup import prepare
from stop import StopRequest, TrainingStopped
from tests.ml.container.shard_kit import write_shards

FLAGS = {
    "architecture": "efficientnet_lite0",
    "image_size": 32,
    "mode": "linear-probe",
    "batch_size": 8,
    "epochs": 2,
}
GROUP = ProcessGroup(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A folder with random weights of the backbone, in the form of the original state_dict."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    torch.save(EfficientNetLite0().state_dict(), folder / "efficientnet_lite0.pth")
    return folder


@pytest.fixture
def job(shades, weights, tmp_path):
    """Return the run of a job with the images of shades."""

    def build(name: str = "job", channels: dict[str, Path] | None = None, **changes) -> Run:
        base = tmp_path / name
        (base / "checkpoints").mkdir(parents=True, exist_ok=True)
        environment = TrainingEnvironment.read({"SAGEMAKER_BASE_DIR": str(base)})
        images = {split: shades / split for split in ("train", "valid", "test")}
        environment = replace(environment, channels={**(channels or images), "weights": weights})
        hyperparameters = Hyperparameters(**{**FLAGS, **changes})
        return Run(hyperparameters=hyperparameters, environment=environment, group=GROUP, stop=StopRequest())

    return build


def test_training_on_stored_features_gives_the_model_of_training_on_images(job, tmp_path):
    train.run_task(job("features", task="features"))
    stored = tmp_path / "features" / "checkpoints"
    train.run_task(job("images"))
    train.run_task(job("stored", {"features": stored}))
    one, two = (torch.load(tmp_path / name / "model" / "model.pt") for name in ("images", "stored"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)
    reports = [
        json.loads((tmp_path / n / "model" / "metrics.json").read_text()) for n in ("images", "stored")
    ]
    for report in reports:
        for epoch in report["history"]:
            del epoch["images_per_second"]
        del report["images_per_second"]
    assert reports[0] == reports[1]


def test_a_trial_does_not_see_the_test_split_of_stored_features(job, shades, tmp_path):
    train.run_task(job("features", task="features"))
    channels = {"features": tmp_path / "features" / "checkpoints", "valid": shades / "valid"}
    trial = prepare(job("trial", {**channels, "train": shades / "train"}), tmp_path)
    assert set(trial.examples) == set(trial.splits.splits) == {"train", "valid"}
    final = prepare(job("final", {**channels, "train": shades / "train", "test": shades / "test"}), tmp_path)
    assert set(final.examples) == {"train", "valid", "test"}


def test_the_exported_model_gives_the_reported_metrics(job, shades, tmp_path):
    train.run_task(job())
    model = Predictor(tmp_path / "job" / "model")
    files = sorted((shades / "test").glob("*/*.png"))
    logits = torch.stack([model.logits(file.read_bytes()) for file in files])
    labels = torch.tensor([model.classes.index(file.parent.name) for file in files])
    report = json.loads((tmp_path / "job" / "model" / "metrics.json").read_text())
    assert report["test:accuracy"] == (logits.argmax(1) == labels).double().mean().item()
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    assert report["test:loss"] == pytest.approx(loss, abs=1e-5)


@pytest.mark.parametrize(
    ("before", "after"),
    [("files", "files"), ("shards", "shards"), ("files", "shards")],
    ids=["files", "shards", "files, then shards"],
)
def test_an_interrupted_computation_resumes_with_the_same_features(
    job, shades, tmp_path, monkeypatch, before, after
):
    train.run_task(job("whole", task="features"))
    shards = write_shards(shades, tmp_path / "shards", 20_000)
    splits = ("train", "valid", "test")
    stored = {"files": None, "shards": {split: shards / split for split in splits}}
    interrupted = job("interrupted", stored[before], task="features")
    forward, calls = features._Forward.__call__, []

    def stop_later(self, *args):
        calls.append(1)
        interrupted.stop.received = len(calls) == 3
        return forward(self, *args)

    monkeypatch.setattr(features._Forward, "__call__", stop_later)
    with pytest.raises(TrainingStopped):
        train.run_task(interrupted)
    monkeypatch.setattr(features._Forward, "__call__", forward)
    folder = tmp_path / "interrupted" / "checkpoints"
    assert json.loads((folder / "train.json").read_text()) == {"images": 24, "order": ANY}
    with pytest.raises(InputError, match=r"no complete features\.json"):
        prepare(job("reader", {"features": folder}), tmp_path)
    train.run_task(job("interrupted", stored[after], task="features"))
    for split in splits:
        expected = np.load(tmp_path / "whole" / "checkpoints" / f"{split}.npy")
        assert np.array_equal(np.load(folder / f"{split}.npy"), expected), split


def test_each_augmented_view_has_other_features_and_evaluation_sees_the_center(job, tmp_path):
    setup = prepare(job(feature_views=3), tmp_path)
    found = setup.examples["train"].features
    assert found.shape[:2] == (40, 3)
    assert not torch.equal(found[:, 0], found[:, 1])
    assert not torch.equal(found[:, 1], found[:, 2])
    assert setup.examples["valid"].features.shape[1] == 1
    plain = prepare(job("plain"), tmp_path / "other").examples["train"]
    assert torch.equal(found[:, :1], plain.features)
    batches = [torch.arange(40)]
    [(first, _)] = setup.examples["train"].training_batches(batches, 1, GROUP)
    [(again, _)] = setup.examples["train"].training_batches(batches, 1, GROUP)
    [(other, _)] = setup.examples["train"].training_batches(batches, 2, GROUP)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"image_size": 64}, "image_size"),
        ({"feature_views": 2}, "feature_views"),
        ({"precision": "float32"}, "precision"),
    ],
)
def test_features_of_another_backbone_are_refused(job, tmp_path, changes, name):
    train.run_task(job("features", task="features"))
    with pytest.raises(InputError, match=f"features for another {name}"):
        prepare(job("other", {"features": tmp_path / "features" / "checkpoints"}, **changes), tmp_path)
    with pytest.raises(InputError, match="features of another backbone or data set"):
        train.run_task(job("features", task="features", **changes))


def test_predicted_logits_are_in_the_order_of_the_images(job, tmp_path):
    setup = prepare(job(), tmp_path)
    examples = setup.examples["valid"]
    logits = predict_outputs(setup.trained, examples, 3, GROUP).logits
    with torch.inference_mode():
        expected = setup.trained.eval()(examples.features[:, 0].float())
    assert torch.allclose(logits, expected, atol=1e-6)


def test_the_checkpoint_holds_the_trained_part_only(job, tmp_path):
    train.run_task(job())
    saved = torch.load(tmp_path / "job" / "checkpoints" / FILE_NAME)
    assert set(saved["model"]) == {"1.weight", "1.bias"}  # after the dropout


def test_the_job_prints_its_seconds_as_the_metric_that_sagemaker_reads(job, capsys):
    train.run_task(job("features", task="features"))
    (definition,) = metric_definitions([SECONDS])
    (seconds,) = re.findall(definition["regex"], capsys.readouterr().out)
    assert float(seconds) > 0
