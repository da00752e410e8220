"""Each operation gives the pixels of torchvision's; what is drawn depends on the generator only."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import RandAugment, TrivialAugmentWide, functional

import image_operations

TORCHVISION = {
    "identity": lambda image, m: image,
    "shear_x": lambda image, m: functional.affine(
        image, 0, [0, 0], 1, [math.degrees(math.atan(m)), 0], center=[0, 0]
    ),
    "shear_y": lambda image, m: functional.affine(
        image, 0, [0, 0], 1, [0, math.degrees(math.atan(m))], center=[0, 0]
    ),
    "translate_x": lambda image, m: functional.affine(image, 0, [m * image.shape[-1], 0], 1, [0, 0]),
    "translate_y": lambda image, m: functional.affine(image, 0, [0, m * image.shape[-1]], 1, [0, 0]),
    "rotate": functional.rotate,
    "brightness": lambda image, m: functional.adjust_brightness(image, 1 + m),
    "color": lambda image, m: functional.adjust_saturation(image, 1 + m),
    "contrast": lambda image, m: functional.adjust_contrast(image, 1 + m),
    "sharpness": lambda image, m: functional.adjust_sharpness(image, 1 + m),
    "posterize": lambda image, m: functional.posterize(image, round(m)),
    "solarize": lambda image, m: functional.solarize(image, 255 * m),
    "autocontrast": lambda image, m: functional.autocontrast(image),
    "equalize": lambda image, m: functional.equalize(image),
}


def pictures(count: int, channels: int, size: int = 24) -> torch.Tensor:
    """Return smooth images with some noise, uint8 [count, channels, size, size]."""
    generator = torch.Generator().manual_seed(count)
    coarse = torch.rand(count, channels, 4, 4, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bilinear")
    return ((smooth + 0.1 * torch.rand(smooth.shape, generator=generator)) * 230).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", image_operations.NAMES)
def test_an_operation_gives_torchvision_s_pixels(name, channels):
    low, high, signed = image_operations.TRIVIAL[name]
    magnitudes = [low, (low + high) / 2, high] + ([-high, -low / 3 - high / 5] if signed else [])
    images = pictures(len(magnitudes), channels)
    operations = torch.full((len(magnitudes),), image_operations.NAMES.index(name))
    found = image_operations.apply(images.clone(), operations, torch.tensor(magnitudes))
    expected = torch.stack([TORCHVISION[name](image, m) for image, m in zip(images, magnitudes, strict=True)])
    difference = (found.int() - expected.int()).abs()
    # A blend rounds in another order; a place between two pixels can be rounded to either.
    assert (difference > 1).float().mean() < 0.01
    assert difference.float().mean() < 0.5


def test_the_spaces_are_torchvision_s():
    """At 224 pixels, where the translations of TrivialAugment are equal."""
    ours = {name.replace("_", "").lower(): ends for name, ends in image_operations.RAND.items()}
    theirs = {name.lower(): space for name, space in RandAugment._AUGMENTATION_SPACE.items()}
    assert ours.keys() == theirs.keys()
    for name, (values, signed) in theirs.items():
        bins = values(31, 224, 224)
        share = 224 if "translate" in name else 1
        assert ours[name][2] == signed
        assert ours[name][0] * share == pytest.approx(
            0.0 if bins is None else float(bins[9]), abs=0.5 * (share > 1) + 1e-6
        )
    trivial = TrivialAugmentWide._AUGMENTATION_SPACE
    for name, (values, _) in trivial.items():
        ends = values(31, 224, 224)
        found = {key.replace("_", "").lower(): ends for key, ends in image_operations.TRIVIAL.items()}[
            name.lower()
        ]
        share = 224 if "Translate" in name else 1
        expected = (0.0, 0.0) if ends is None else (float(ends[0]), float(ends[-1]))
        assert (found[0] * share, found[1] * share) == pytest.approx(expected)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_draws_depend_on_the_generator_and_stay_in_the_space(seed, count):
    drawn = [
        image_operations.draw(image_operations.TRIVIAL, count, torch.Generator().manual_seed(seed))
        for _ in range(2)
    ]
    assert all(torch.equal(*pair) for pair in zip(*drawn, strict=True))
    for operation, magnitude in zip(*drawn[0], strict=True):
        low, high, signed = image_operations.TRIVIAL[image_operations.NAMES[operation]]
        assert min(low, high) - 1e-6 <= abs(magnitude) <= max(low, high) + 1e-6
        assert magnitude >= 0 or signed


def test_an_image_does_not_depend_on_its_batch():
    images = pictures(40, 3)
    operations, magnitudes = image_operations.draw(
        image_operations.TRIVIAL, 40, torch.Generator().manual_seed(1)
    )
    whole = image_operations.apply(images.clone(), operations, magnitudes)
    for number in range(40):
        one = slice(number, number + 1)
        alone = image_operations.apply(images[one].clone(), operations[one], magnitudes[one])
        assert torch.equal(alone, whole[one])
