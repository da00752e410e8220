"""The training program in this process: artifact, reproducibility, stop, resume and errors."""

import json
import os
import re
import signal

import pytest
import torch

import train
from hyperparameters import Hyperparameters
from predict import Predictor
from tests.ml.container.shard_kit import write_shards

FLAGS = "--image-size 8 --epochs 3 --batch-size 8 --learning-rate 0.01"


@pytest.fixture
def run(shades, tmp_path, monkeypatch, capsys):
    """Run train.main in a base folder. Returns exit status, output and the folder."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(flags: str = FLAGS, base: str = "job", channels=("train", "valid", "test"), data=shades):
        folder = tmp_path / base
        folder.mkdir(exist_ok=True)
        for name in [name for name in os.environ if name.startswith("SM_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(folder))
        for channel in channels:
            monkeypatch.setenv(f"SM_CHANNEL_{channel.upper()}", str(data / channel))
        status = train.main(flags.split())
        return status, capsys.readouterr(), folder

    yield run
    signal.signal(signal.SIGTERM, handler)


def losses(output: str) -> list[str]:
    return re.findall(r"train:loss=(\S+)", output)


def test_training_writes_the_artifact(run, shades):
    status, output, folder = run()
    assert status == 0
    assert len(losses(output.out)) == 3

    description = json.loads((folder / "model" / "model.json").read_text())
    assert description["architecture"] == "small_cnn"
    assert description["classes"] == ["dark", "light"]
    assert (description["image_size"], description["channels"]) == (8, 1)
    assert (description["mean"], description["std"]) == ([0.5], [0.5])
    assert description["hyperparameters"]["batch_size"] == 8
    assert description["metrics"]["test:accuracy"] == 1.0
    assert f"test:accuracy={description['metrics']['test:accuracy']:.6f}" in output.out

    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    assert metrics == json.loads((folder / "output" / "data" / "metrics.json").read_text())
    evaluation = json.loads((folder / "model" / "evaluation.json").read_text())
    assert evaluation == json.loads((folder / "output" / "data" / "evaluation.json").read_text())
    assert (evaluation["split"], evaluation["confusion_matrix"]) == ("test", [[8, 0], [0, 8]])
    assert description["temperature"] == evaluation["calibration"]["temperature"]
    assert "# Model card: small_cnn, 2 classes" in (folder / "model" / "model-card.md").read_text()
    assert description["data"] == {"hash": "", "images": {"train": 40, "valid": 16, "test": 16}}
    assert description["weights"] == ""
    assert description["libraries"]["torch"] == torch.__version__
    assert description["hardware"]["device"] == "cpu"
    assert len(metrics["history"]) == 3

    state = torch.load(folder / "model" / "model.pt", weights_only=True)
    assert all(isinstance(value, torch.Tensor) for value in state.values())
    assert (folder / "model" / "code" / "app.py").is_file()
    assert not (folder / "output" / "failure").exists()

    image = (shades / "test" / "light" / "0.png").read_bytes()
    assert Predictor(folder / "model").predict(image, top_k=1)["predictions"][0]["label"] == "light"


@pytest.mark.parametrize("mode", ["from-scratch", "linear-probe"])
def test_shards_give_the_metrics_of_single_files(run, shades, tmp_path, mode, monkeypatch):
    sharded = write_shards(shades, tmp_path / "shards", 20_000)
    monkeypatch.setattr(Hyperparameters, "starts_from_weights", False)  # small_cnn has no weights
    flags = f"{FLAGS} --mode {mode} --expected-images train=40,valid=16,test=16"
    _, files, first = run(flags, base="files")
    _, shards, second = run(flags, base="shards", data=sharded)
    assert losses(files.out) == losses(shards.out) and len(losses(files.out)) == 3
    metrics = [json.loads((base / "model" / "metrics.json").read_text()) for base in (first, second)]
    for found in metrics:
        for epoch in [found, *found["history"]]:
            epoch.pop("images_per_second", None)
    assert metrics[0] == metrics[1]


def test_shards_of_another_data_set_are_refused(run, shades, tmp_path):
    sharded = write_shards(shades, tmp_path / "shards", 20_000)
    status, output, _ = run(f"{FLAGS} --expected-images train=41,valid=16,test=16", data=sharded)
    assert status == 1 and "has 40 images and the data set's manifest has 41" in output.err


def test_without_a_test_channel_the_evaluation_is_of_the_valid_split(run):
    status, output, folder = run(channels=("train", "valid"))
    assert status == 0
    assert "no test channel: the evaluation is of the valid split" in output.out
    assert "test:" not in output.out  # the registry approves by test:accuracy, and must not find one
    metrics = json.loads((folder / "model" / "metrics.json").read_text())
    assert not any(name.startswith("test:") for name in metrics)
    evaluation = json.loads((folder / "model" / "evaluation.json").read_text())
    assert (evaluation["split"], sum(map(sum, evaluation["confusion_matrix"]))) == ("valid", 16)
    assert not (folder / "output" / "data" / "tensorboard").exists()  # a trial


def test_the_losses_depend_on_the_seed(run):
    first, second, other = (
        losses(run(f"{FLAGS} --seed {seed}", base)[1].out) for seed, base in ((1, "a"), (1, "b"), (2, "c"))
    )
    assert first == second
    assert first != other


def test_a_stopped_run_resumes_with_the_losses_of_an_uninterrupted_run(run, tmp_path, monkeypatch):
    whole = run(base="whole")[1].out
    (tmp_path / "stopped" / "checkpoints").mkdir(parents=True)

    check_finite = train.check_finite
    monkeypatch.setattr(train, "check_finite", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    status, output, folder = run(base="stopped")
    assert status == 0
    assert "stopped after epoch 1" in output.out
    assert not (folder / "model").exists()

    monkeypatch.setattr(train, "check_finite", check_finite)
    status, resumed, folder = run(base="stopped")
    assert status == 0
    assert "resumed after epoch 1" in resumed.out
    assert losses(output.out) + losses(resumed.out) == losses(whole)
    assert re.search("test:loss=.*", resumed.out)[0] == re.search("test:loss=.*", whole)[0]
    assert len(json.loads((folder / "model" / "metrics.json").read_text())["history"]) == 3


def test_the_checkpoint_of_another_run_is_refused(run, tmp_path):
    (tmp_path / "job" / "checkpoints").mkdir(parents=True)
    assert run()[0] == 0
    status, output, _ = run(f"{FLAGS} --optimizer sgd")
    assert status == 1
    assert "checkpoint is from another run: optimizer differ" in output.err


@pytest.mark.parametrize(
    ("flags", "channels", "message"),
    [
        ("--epochs 0", ("train", "valid"), "--epochs is 0"),
        (FLAGS, ("train", "test"), "no channel 'valid'"),
        (f"{FLAGS} --mode linear-probe", ("train", "valid"), "needs a channel 'weights'"),
        (
            f"{FLAGS} --optimizer sgd --learning-rate 100",
            ("train", "valid"),
            "the loss of step 5 of epoch 1 is not finite; lower --learning-rate",
        ),
    ],
)
def test_invalid_input_is_reported_in_one_sentence(run, flags, channels, message):
    status, output, folder = run(flags, channels=channels)
    assert status == 1
    assert message in output.err
    assert output.err.count("\n") == 1
    assert message in (folder / "output" / "failure").read_text()
    assert not (folder / "model").exists()
