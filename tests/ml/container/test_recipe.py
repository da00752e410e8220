"""The recipe in a whole training: each part does what it is for, resumes exactly, and is exact over ranks."""

import json
import random
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import train
from efficientnet_lite import EfficientNetLite0
from environment import TrainingEnvironment
from epoch import Trainer
from evaluate import predict_outputs
from hyperparameters import Hyperparameters
from metrics import Metrics, RunningMetrics
from process_group import ProcessGroup
from run import Run
from run_setup import prepare
from stop import StopRequest, TrainingStopped

GROUP = ProcessGroup(0, 1, torch.device("cpu"))
SMALL = {"image_size": 8, "epochs": 3, "batch_size": 8, "learning_rate": 0.01}
EVERYTHING = {
    "augmentation": "trivial",
    "random_erasing": 0.3,
    "mixup": 0.4,
    "cutmix": 1.0,
    "label_smoothing": 0.1,
    "class_balance": "weights",
    "ema_decay": 0.9,
    "clip_norm": 0.5,
    "accumulation_steps": 2,
    "patience": 5,
}


@pytest.fixture
def job(shades, tmp_path, request):
    """Return the run of a job."""
    handler = signal.getsignal(signal.SIGTERM)
    request.addfinalizer(lambda: signal.signal(signal.SIGTERM, handler))

    def build(name: str = "job", data: Path = shades, **changes) -> Run:
        base = tmp_path / name
        (base / "checkpoints").mkdir(parents=True, exist_ok=True)
        environment = TrainingEnvironment.read({"SAGEMAKER_BASE_DIR": str(base)})
        environment = replace(
            environment, channels={split: data / split for split in ("train", "valid", "test")}
        )
        hyperparameters = Hyperparameters(**{**SMALL, **changes})
        return Run(hyperparameters=hyperparameters, environment=environment, group=GROUP, stop=StopRequest())

    return build


def weights(run: Run) -> dict[str, torch.Tensor]:
    return torch.load(run.environment.model_dir / "model.pt", weights_only=True)


def report(run: Run) -> dict:
    return json.loads((run.environment.model_dir / "metrics.json").read_text())


def assert_equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


@pytest.fixture(scope="module")
def unbalanced(tmp_path_factory) -> Path:
    """The issue's case: 300 images of class common and 5 of rare, which differ a little; 20 of each in valid and test."""
    root, noise = tmp_path_factory.mktemp("unbalanced"), random.Random(0)
    for split, counts in {"train": (300, 5), "valid": (20, 20), "test": (20, 20)}.items():
        for name, count, base in zip(("common", "rare"), counts, (116, 128), strict=True):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                image = Image.new("L", (12, 12))
                image.putdata([base + noise.randint(-60, 60) for _ in range(144)])
                image.save(folder / f"{number}.png")
    return root


@pytest.mark.parametrize(("balance", "found"), [("none", 0), ("weights", 8), ("sampling", 8)])
def test_a_rare_class_is_lost_unless_the_classes_are_balanced(job, unbalanced, capsys, balance, found):
    run = job(data=unbalanced, class_balance=balance, batch_size=32, epochs=6, learning_rate=0.003)
    train.run_task(run)
    evaluation = json.loads((run.environment.model_dir / "evaluation.json").read_text())
    matrix = evaluation["confusion_matrix"]
    assert (matrix[1][1] == 0) if balance == "none" else (matrix[1][1] >= found)
    assert matrix[0][0] >= 16
    warned = "warning: class rare has 5 training images and class common has 300" in capsys.readouterr().out
    assert warned == (balance == "none")


def test_the_recipe_applies_to_features_of_a_frozen_backbone(job, tmp_path):
    torch.save(EfficientNetLite0().state_dict(), tmp_path / "efficientnet_lite0.pth")
    run = job(
        **{**EVERYTHING, "architecture": "efficientnet_lite0", "mode": "linear-probe", "image_size": 32},
        feature_views=2,
    )
    run.environment.channels["weights"] = tmp_path
    train.run_task(run)
    state = torch.load(run.environment.checkpoint_dir / "checkpoint.pt", weights_only=True)
    assert set(state["average"]["model"]) == set(state["model"]) == {"1.weight", "1.bias"}  # the head
    exported = weights(run)
    assert torch.equal(exported["head.1.weight"], state["stopping"]["weights"]["1.weight"])


def test_everything_together_trains_and_gives_the_same_model_again(job):
    runs = [job(name, **EVERYTHING) for name in "ab"]
    for run in runs:
        train.run_task(run)
    assert_equal(weights(runs[0]), weights(runs[1]))
    assert report(runs[0])["test:accuracy"] == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        EVERYTHING,
        {"ema_decay": 0.9, "patience": 1},
        {"class_balance": "sampling", "mixup": 0.2},
        {"architecture": "mobilenet_v3_small", "image_size": 32, "epochs": 2, "ema_decay": 0.5},
    ],
)
def test_a_stopped_training_resumes_bit_equal(job, monkeypatch, changes):
    whole = job("whole", **changes)
    train.run_task(whole)
    stopped, train_epoch, calls = job("stopped", **changes), Trainer.train_epoch, []

    def stop_in_epoch_2(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise TrainingStopped
        return train_epoch(*arguments)

    monkeypatch.setattr(Trainer, "train_epoch", stop_in_epoch_2)
    with pytest.raises(TrainingStopped):
        train.run_task(stopped)
    monkeypatch.undo()
    train.run_task(stopped)
    assert_equal(weights(whole), weights(stopped))
    first, second = report(whole), report(stopped)
    for found in (first, second):
        for metrics in (found, *found["history"]):
            del metrics["images_per_second"]
    assert first == second


def test_the_best_epoch_is_exported_after_an_early_stop(job, monkeypatch, capsys):
    run = job(epochs=20, patience=2)
    losses = iter([0.5, 0.3, 0.4, 0.35, *[0.1] * 20])
    named = Metrics.named

    def change(self, split):
        found = named(self, split)
        return {**found, "validation:loss": next(losses)} if split == "validation" else found

    kept = {}
    save = train.checkpoint.save

    def keep(folder, state, key):
        kept[len(state.history)] = {name: value.clone() for name, value in state.model.state_dict().items()}
        save(folder, state, key)

    monkeypatch.setattr(Metrics, "named", change)
    monkeypatch.setattr(train.checkpoint, "save", keep)
    train.run_task(run)
    assert "stopped early: epoch 2 has the lowest validation loss" in capsys.readouterr().out
    assert sorted(kept) == [1, 2, 3, 4]
    assert_equal(weights(run), kept[2])
    assert report(run)["train:loss"] == report(run)["history"][1]["train:loss"]


def test_the_averaged_weights_are_evaluated_and_exported(job):
    plain, averaged = job("plain"), job("averaged", ema_decay=0.95)
    for run in (plain, averaged):
        train.run_task(run)
    state = torch.load(averaged.environment.checkpoint_dir / "checkpoint.pt", weights_only=True)
    assert_equal(weights(averaged), state["average"]["model"])
    assert_equal(weights(plain), state["model"])  # the average changes nothing that is trained
    assert report(plain)["validation:loss"] != report(averaged)["validation:loss"]
    assert report(plain)["train:loss"] == report(averaged)["train:loss"]


def test_the_exported_average_of_batch_norm_gives_the_reported_metrics(job, tmp_path):
    run = job(architecture="mobilenet_v3_small", image_size=32, epochs=2, ema_decay=0.5)
    train.run_task(run)
    setup = prepare(job("alone", architecture="mobilenet_v3_small", image_size=32), tmp_path)
    setup.model.load_state_dict(weights(run))
    outputs = predict_outputs(setup.model, setup.examples["test"], 8, GROUP)
    assert outputs.metrics().loss == pytest.approx(report(run)["test:loss"], abs=1e-5)


def gradients(run: Run, tmp_path: Path) -> list[torch.Tensor]:
    """Return the gradients of the first batch."""
    setup = prepare(run, tmp_path)
    state = train.initial_state(run, setup)
    trainer, metrics = train.trainer(run, setup), RunningMetrics(2)
    norm, inputs, targets = next(trainer.batches(1, setup.recipe.batches(1)))
    trainer.add_gradients(state, setup.trained, inputs, targets, norm, metrics)
    return [parameter.grad for parameter in setup.trained.parameters()]


@pytest.mark.parametrize("parts", [2, 3, 1000])
def test_the_gradients_of_the_parts_of_a_batch_are_the_batch_s(job, tmp_path, parts):
    changes = {**EVERYTHING, "batch_size": 16}
    whole = gradients(job(**{**changes, "accumulation_steps": 1}), tmp_path)
    added = gradients(job(**{**changes, "accumulation_steps": parts}), tmp_path)
    for one, other in zip(whole, added, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_clipping_limits_the_norm_of_the_gradient(job, tmp_path):
    run = job(clip_norm=1e-3)
    setup = prepare(run, tmp_path)
    state, trainer = train.initial_state(run, setup), train.trainer(run, setup)
    norm, inputs, targets = next(trainer.batches(1, setup.recipe.batches(1)))
    trainer.add_gradients(state, setup.trained, inputs, targets, norm, RunningMetrics(2))
    trainer.step(state)
    found = torch.stack([parameter.grad.norm() for parameter in setup.trained.parameters()]).norm()
    assert float(found) == pytest.approx(1e-3, rel=1e-3)


def test_find_lr_suggests_a_rate_and_makes_no_model(job, capsys):
    run = job(task="find-lr")
    train.run_task(run)
    assert [path.name for path in run.environment.model_dir.iterdir()] == ["learning-rate.json"]
    found = json.loads((run.environment.model_dir / "learning-rate.json").read_text())
    assert (found["batch_size"], found["optimizer"]) == (8, "adamw")
    assert len(found["rates"]) == len(found["losses"]) > 50
    assert 1e-4 < found["suggested"] < 1
    printed = capsys.readouterr().out
    assert f"suggested learning rate: {found['suggested']:.2g}" in printed
    assert not re.search(r"(train|validation|test):\w+=", printed)  # no metric of a model


def test_find_lr_can_be_stopped(job):
    run = job(task="find-lr")
    run.stop.received = True
    with pytest.raises(TrainingStopped):
        train.run_task(run)
