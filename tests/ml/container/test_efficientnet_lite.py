"""EfficientNet-Lite0 with its real pretrained weights: against timm, on real images, and in transfer learning."""

import random
from pathlib import Path

import pytest
import torch
from PIL import Image

import architectures
from efficientnet_lite import DROPOUT, EfficientNetLite0
from hyperparameters import LINEAR_PROBE, Hyperparameters
from model import build_model, default_preprocess
from modes import parameter_groups, set_trainable
from tests.ml.container.models import pretrained_file

NAME = "efficientnet_lite0"


@pytest.fixture(scope="module")
def network():
    found = EfficientNetLite0()
    found.load_state_dict(torch.load(pretrained_file(), weights_only=True))
    return found.eval()


@pytest.fixture(scope="module")
def photos() -> Path:
    """The folder of scikit-learn's two photos, china.jpg and flower.jpg."""
    import sklearn.datasets

    return Path(sklearn.datasets.__file__).parent / "images"


@pytest.fixture(scope="module")
def timms():
    import timm

    return timm.create_model("tf_efficientnet_lite0").eval()


@pytest.mark.parametrize("size", [224, 97])
def test_the_logits_are_those_of_timm(network, timms, size):
    """With the same weights, whose names differ and whose order does not; also where the padding is odd."""
    timms.load_state_dict(dict(zip(timms.state_dict(), network.state_dict().values(), strict=True)))
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(network(images), timms(images), atol=1e-4)


def test_a_model_of_timm_starts_from_a_file_of_weights(network, timms, tmp_path):
    """The same network by way of timm, from a file in the format of timm's weights, has the same features."""
    from safetensors.torch import save_file

    state = dict(zip(timms.state_dict(), network.state_dict().values(), strict=True))
    save_file(state, tmp_path / "weights.safetensors")
    found = build_model(
        "timm/tf_efficientnet_lite0", 2, image_size=64, weights=tmp_path / "weights.safetensors"
    )
    ours = build_model(NAME, 2, image_size=64, weights=pretrained_file())
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(found.eval().backbone(images), ours.eval().backbone(images), atol=1e-4)


def test_the_transform_is_that_of_timm(timms):
    config, found = timms.default_cfg, architectures.resolve(NAME)
    assert (found.mean, found.std) == (config["mean"], config["std"])
    assert found.resize_ratio == pytest.approx(1 / config["crop_pct"])
    assert DROPOUT == 0.2


@pytest.mark.parametrize(
    ("file", "expected"), [("china.jpg", 698), ("flower.jpg", 985)], ids=["palace", "daisy"]
)
def test_the_weights_know_imagenet(network, photos, file, expected):
    """698 is palace and 985 is daisy among the 1,000 classes."""
    preprocess = default_preprocess(NAME, 224, 3)
    image = preprocess.crop(preprocess.decode((photos / file).read_bytes())[None])
    with torch.inference_mode():
        probabilities = network(preprocess.normalize(image)).softmax(dim=1)[0]
    assert int(probabilities.argmax()) == expected
    assert float(probabilities.max()) > 0.3


def patches(photos: Path, half: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return patches of the left (0) or right (1) half of both photos, and which photo each is of."""
    draw, images, labels = random.Random(half), [], []
    for label, file in enumerate(("china.jpg", "flower.jpg")):
        photo = Image.open(photos / file).convert("RGB")
        for _ in range(count):
            left = draw.randrange(photo.width // 2 - 64) + half * photo.width // 2
            top = draw.randrange(photo.height - 64)
            patch = photo.crop((left, top, left + 64, top + 64)).resize((112, 112))
            pixels = torch.frombuffer(bytearray(patch.tobytes()), dtype=torch.uint8)
            images.append(pixels.view(112, 112, 3).permute(2, 0, 1))
            labels.append(label)
    return default_preprocess(NAME, 112, 3).normalize(torch.stack(images)), torch.tensor(labels)


def probe_accuracy(photos: Path, weights: Path | None) -> float:
    """Train a head on patches of the left halves. Return its accuracy on patches of the right halves."""
    torch.manual_seed(0)
    hyperparameters = Hyperparameters(mode=LINEAR_PROBE, learning_rate=0.01)
    architecture = architectures.resolve(NAME)
    model = build_model(NAME, 2, image_size=112, weights=weights)
    set_trainable(model, architecture, hyperparameters, epoch=1)
    optimizer = torch.optim.AdamW(parameter_groups(model, architecture, hyperparameters))
    (train, labels), (test, truth) = patches(photos, half=0, count=12), patches(photos, half=1, count=12)
    with torch.no_grad():
        features = model.backbone(train)
    for _ in range(50):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model.head(features), labels).backward()
        optimizer.step()
    with torch.inference_mode():
        return float((model.eval()(test).argmax(dim=1) == truth).float().mean())


def test_what_imagenet_taught_transfers_to_real_images(photos):
    assert probe_accuracy(photos, pretrained_file()) >= 0.85
    assert probe_accuracy(photos, None) <= 0.6
