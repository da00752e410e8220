"""The architectures by name: against torchvision, stages, image sizes, refusals."""

import ast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import architectures
import timm_models
from errors import InputError
from model import default_preprocess
from modes import stages
from ops.facts import architectures as facts
from tests.ml.container.conftest import CONTAINER
from tests.ml.container.models import FAMILIES, images_for, shape_of

TORCHVISION = architectures.names()[2:]


@pytest.fixture(scope="module")
def torchvision_weights():
    from torchvision import models

    return {name: models.get_model_weights(name).DEFAULT for name in TORCHVISION}


def test_transforms_and_files_are_those_of_torchvisions_default_weights(torchvision_weights):
    for name, weights in torchvision_weights.items():
        transform, known = weights.transforms(), architectures.resolve(name)
        preprocess = default_preprocess(name, transform.crop_size[0], 3)
        assert preprocess.resize_size == transform.resize_size[0], name
        assert (list(known.mean), list(known.std)) == (transform.mean, transform.std), name
        assert weights.url == facts.TORCHVISION_URL + facts.TORCHVISION_WEIGHTS[name], name


def test_weights_with_a_license_of_their_own_are_not_downloaded(torchvision_weights):
    """Checked in torchvision 0.28: SWAG's weights, under CC BY-NC 4.0."""
    licensed = [name for name, weights in torchvision_weights.items() if "license" in weights.meta]
    assert sorted(licensed) == sorted(facts.NON_COMMERCIAL)
    assert [facts.pretrained_digest(name) for name in licensed] == [None] * len(licensed)


@pytest.mark.parametrize("name", FAMILIES)
def test_stages_have_every_parameter_once_in_the_order_of_the_forward_pass(name):
    model, architecture = shape_of(name), architectures.resolve(name)
    found = stages(model, architecture)
    assert len(found) > 1
    assert all(found)
    if architecture.stages:
        assert len(found) == len(architecture.stages)
    names = [parameter for stage in found for parameter in stage]
    assert sorted(names) == sorted(parameter for parameter, _ in model.backbone.named_parameters())

    number = {parameter: index for index, stage in enumerate(found) for parameter in stage}
    visited: list[int] = []
    hooks = [
        module.register_forward_pre_hook(
            lambda _, __, index=number[f"{prefix}.{own[0]}"]: visited.append(index)
        )
        for prefix, module in model.backbone.named_modules()
        if prefix and (own := [parameter for parameter, _ in module.named_parameters(recurse=False)])
    ]
    with torch.inference_mode():
        model.eval()(images_for(name, model))
    for hook in hooks:
        hook.remove()
    assert visited == sorted(visited)
    assert set(visited) == set(range(len(found)))


def test_every_name_resolves_and_has_a_mean_per_channel():
    for name in architectures.names():
        found = architectures.resolve(name)
        assert len(found.mean) == len(found.std) == 3
        assert found.resize_ratio >= 1
        assert found.stages


@given(st.sampled_from(architectures.names()), st.integers(1, 640))
def test_an_image_size_is_accepted_or_refused_with_a_sentence(name, image_size):
    minimum, multiple = facts.image_sizes(name)
    found = architectures.resolve(name)
    if image_size >= minimum and image_size % multiple == 0:
        assert default_preprocess(name, image_size, 3).image_size == image_size
        return
    with pytest.raises(InputError, match=rf"^{name} needs .*--image-size is {image_size}$") as refused:
        found.check_image_size(image_size)
    if image_size >= minimum:  # the sentence names the sizes next to it
        below = image_size // multiple * multiple
        assert f"such as {below} or {below + multiple};" in str(refused.value)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(
        InputError, match=r"unknown architecture 'vgg16'; use one of small_cnn, .*resnet50.*timm/<name>"
    ):
        architectures.resolve("vgg16")


def test_a_model_of_timm_needs_timm(monkeypatch):
    monkeypatch.setattr(timm_models, "find_spec", lambda _: None)
    with pytest.raises(
        InputError, match=r"timm/resnet10t needs timm, which this image does not have; train in"
    ):
        architectures.resolve("timm/resnet10t")


def test_timm_has_its_own_transform_and_refuses_names_it_does_not_have():
    found = architectures.resolve("timm/vit_tiny_patch16_224")
    assert (found.mean, found.std) == (architectures.HALF, architectures.HALF)
    assert found.resize_ratio == pytest.approx(1 / 0.9)
    with pytest.raises(InputError, match=r"timm [\d.]+ has no model 'resnet9000'"):
        architectures.resolve("timm/resnet9000")


def test_an_image_size_that_a_model_of_timm_cannot_take_is_refused():
    with pytest.raises(InputError, match=r"^timm/vit_tiny_patch16_224 cannot take --image-size 10: .*$"):
        timm_models.create("vit_tiny_patch16_224", 10)


def test_torchvision_and_timm_are_imported_when_they_are_needed():
    """They take seconds, and small_cnn and efficientnet_lite0 need neither."""
    for path in CONTAINER.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in names} & {"torchvision", "timm"}, path.name
