"""What is reported is what is exported: the artifact's files alone, one image at a time, give the reported metrics."""

import json
import os
import signal

import pytest
import torch

import train
from evaluation import Outputs
from model import build_model
from predict import Predictor

LITE0 = "efficientnet_lite0"
FLAGS = "--image-size 32 --batch-size 16 --learning-rate 0.01 --head original"


def save_weights(folder, architecture: str) -> None:
    """Write random weights of a backbone, as the model.pt of an artifact has them."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    backbone = build_model(architecture, 2, image_size=32).backbone.state_dict()
    torch.save({f"backbone.{name}": value for name, value in backbone.items()}, folder / "weights.pt")


def check_exported(model_dir, split_dir) -> None:
    """Classify the images of a split with the artifact, and compare with evaluation.json."""
    predictor, evaluation = Predictor(model_dir), json.loads((model_dir / "evaluation.json").read_text())
    images = [path for name in predictor.classes for path in sorted((split_dir / name).iterdir())]
    logits = torch.stack([predictor.logits(path.read_bytes()) for path in images])
    labels = torch.tensor([predictor.classes.index(path.parent.name) for path in images])
    names = [f"{path.parent.name}/{path.name}" for path in images]
    measured = Outputs("test", logits, labels, names)
    found = measured.metrics()
    for name in ("accuracy", "balanced_accuracy", "top5_accuracy"):
        assert getattr(found, name) == evaluation[name], name
    assert found.loss == pytest.approx(evaluation["loss"], rel=1e-4, abs=1e-6)
    matrix = torch.tensor(evaluation["confusion_matrix"])
    assert matrix.diagonal().sum() == (logits.argmax(dim=1) == labels).sum()
    assert matrix.sum() == len(images)
    for mistake in evaluation["mistakes"]:
        response = predictor.predict((split_dir / mistake["image"]).read_bytes(), top_k=1)
        assert response["predictions"] == [
            {"label": mistake["predicted"], "probability": pytest.approx(mistake["confidence"], abs=1e-4)}
        ]


@pytest.fixture
def environment(shades, tmp_path, monkeypatch):
    """The variables of a job with the images of shades, and its weights."""
    handler = signal.getsignal(signal.SIGTERM)
    for name in [name for name in os.environ if name.startswith("SM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path / "job"))
    monkeypatch.setenv("SM_CHANNEL_WEIGHTS", str(tmp_path / "weights"))
    for channel in ("train", "valid", "test"):
        monkeypatch.setenv(f"SM_CHANNEL_{channel.upper()}", str(shades / channel))
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    ("architecture", "mode"),
    [
        ("small_cnn", "from-scratch"),
        ("small_cnn", "from-scratch --epochs 3 --patience 1 --ema-decay 0.9 --mixup 0.2"),
        (LITE0, "from-scratch"),
        (LITE0, "linear-probe"),
        (LITE0, "gradual-unfreezing"),
        (LITE0, "fine-tuning"),
        *(
            pytest.param(name, "fine-tuning", marks=pytest.mark.slow)
            for name in (
                "resnet18",
                "mobilenet_v3_small",
                "efficientnet_b0",
                "convnext_tiny",
                "swin_t",
                "timm/vit_tiny_patch16_224",
            )
        ),
    ],
)
def test_the_artifact_has_the_reported_metrics(environment, shades, tmp_path, architecture, mode):
    mode, *more = mode.split()
    if mode != "from-scratch":
        save_weights(tmp_path / "weights", architecture)
    epochs = "2" if mode == "gradual-unfreezing" else "1"
    flags = [*FLAGS.split(), "--architecture", architecture, "--mode", mode, "--epochs", epochs, *more]
    assert train.main(flags) == 0
    check_exported(tmp_path / "job" / "model", shades / "test")
