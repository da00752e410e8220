"""Files of weights: what is accepted, and what is refused in one sentence."""

import hashlib
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import architectures
from errors import InputError
from model import build_model
from networks import Network
from pretrained import load_weights, weights_digest
from tests.ml.container.models import pretrained_file

NAME = "efficientnet_lite0"


def build(weights: Path):
    return build_model(NAME, 3, image_size=32, weights=weights)


@pytest.fixture(scope="module")
def state():
    return torch.load(pretrained_file(), weights_only=True)


def saved(folder: Path, content: object, name: str = "weights.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


def test_the_backbone_starts_from_the_weights_and_the_head_does_not(state):
    model = build(pretrained_file())
    loaded = model.backbone.state_dict()
    assert all(
        torch.equal(loaded[name], value) for name, value in state.items() if not name.startswith("_fc")
    )
    assert set(state) - set(loaded) == {"_fc.weight", "_fc.bias"}
    assert model.head[-1].weight.shape == (3, 1280)


def test_weights_with_another_classifier_or_without_one_are_accepted(state, tmp_path):
    others = {name: value for name, value in state.items() if not name.startswith("_fc")}
    assert build(saved(tmp_path, others))
    assert build(saved(tmp_path, {**others, "_fc.weight": torch.zeros(7, 1280), "_fc.bias": torch.zeros(7)}))


def test_the_model_of_an_earlier_artifact_is_accepted(tmp_path):
    earlier = build(pretrained_file())
    model = build_model(
        NAME, 9, image_size=32, head="original", weights=saved(tmp_path, earlier.state_dict())
    )
    assert torch.equal(model.backbone._conv_stem.weight, earlier.backbone._conv_stem.weight)


def test_the_position_embeddings_of_a_vit_are_interpolated(tmp_path):
    from torchvision import models

    def vit(image_size: int) -> torch.nn.Module:
        return models.VisionTransformer(
            image_size, patch_size=32, num_layers=1, num_heads=1, hidden_dim=8, mlp_dim=8
        )

    path = saved(
        tmp_path, {name: torch.full_like(value, 0.5) for name, value in vit(64).state_dict().items()}
    )
    backbone = vit(96)
    load_weights(Network(backbone, 8), architectures.resolve("vit_b_32"), 96, path)
    assert backbone.encoder.pos_embedding.shape == (1, 1 + 3 * 3, 8)
    assert torch.allclose(backbone.encoder.pos_embedding, torch.tensor(0.5))


@dataclass
class Code:
    """Makes a folder when it is unpickled."""

    folder: Path

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path):
    mark = tmp_path / "ran"
    (tmp_path / "weights.pth").write_bytes(pickle.dumps({"a": Code(mark)}, protocol=2))
    with pytest.raises(
        InputError, match=r"^weights.pth cannot be read as a PyTorch state_dict \(UnpicklingError\)"
    ):
        build(tmp_path / "weights.pth")
    saved(tmp_path, {"a": Code(mark)})
    with pytest.raises(InputError, match="a pickle with code"):
        build(tmp_path / "weights.pth")
    assert not mark.exists()
    pickle.loads(pickle.dumps(Code(mark)))
    assert mark.exists()  # it would have


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    content = pretrained_file().read_bytes()
    (tmp_path / "weights.pth").write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"^weights.pth cannot be read as a PyTorch state_dict"):
        build(tmp_path / "weights.pth")


@given(
    st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x02}q\x00", b"(lp0\n"]), st.binary(max_size=200)
)
def test_garbage_is_refused_in_one_sentence(tmp_path_factory, start, garbage):
    for suffix in (".pth", ".safetensors"):
        path = tmp_path_factory.mktemp("garbage") / f"weights{suffix}"
        path.write_bytes(start + garbage)
        with pytest.raises(InputError, match=f"^weights{suffix} [^\n]+$"):
            load_weights(Network(torch.nn.Linear(1, 1), 1), architectures.resolve(NAME), 32, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(1)], "weights.pth has list with other things than tensors; it must be a state_dict"),
        ({"epoch": 3}, "weights.pth has dict with other things than tensors"),
        (
            {},
            "weights.pth is not a state_dict of efficientnet_lite0: it lacks _conv_stem.weight and 293 more",
        ),
        (
            {"conv1.weight": torch.zeros(1)},
            "it lacks _conv_stem.weight and 293 more, it also has conv1.weight",
        ),
    ],
)
def test_another_content_is_refused(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        build(saved(tmp_path, content))


def test_another_shape_and_values_that_are_not_numbers_are_refused(state, tmp_path):
    with pytest.raises(InputError, match=r"_conv_stem.weight is \[1\] and must be \[32, 3, 3, 3\]$"):
        build(saved(tmp_path, {**state, "_conv_stem.weight": torch.zeros(1)}))
    with pytest.raises(InputError, match=r"weights.pth has NaN or infinite values in _bn0.bias"):
        build(saved(tmp_path, {**state, "_bn0.bias": torch.full((32,), torch.nan)}))


def test_a_file_whose_name_has_another_digest_is_refused(state, tmp_path):
    path = saved(tmp_path, state)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert weights_digest(path) == digest
    right = path.rename(tmp_path / f"efficientnet_lite0-{digest[:16]}.pth")
    assert build(right)
    wrong = right.rename(tmp_path / "efficientnet_lite0-0123456789abcdef.pth")
    with pytest.raises(
        InputError, match=f"is damaged: its SHA-256 is {digest} and must start with 0123456789abcdef"
    ):
        build(wrong)
