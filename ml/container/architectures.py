"""The networks by name: their transform, the image sizes they take, and their stages from input to output.

It does not need torchvision. ops/facts/architectures.py has the same names; a test compares them, and both with
torchvision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import timm_models
from errors import InputError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
SMALL_CNN = "small_cnn"
EFFICIENTNET_LITE0 = "efficientnet_lite0"
TIMM = "timm/"

# Image size and resize size of the transform of torchvision's default weights, by architecture.
_TORCHVISION = {
    "convnext_tiny": (224, 236),
    "convnext_small": (224, 230),
    "convnext_base": (224, 232),
    "convnext_large": (224, 232),
    "efficientnet_b0": (224, 256),
    "efficientnet_b1": (240, 255),
    "efficientnet_b2": (288, 288),
    "efficientnet_b3": (300, 320),
    "efficientnet_b4": (380, 384),
    "efficientnet_b5": (456, 456),
    "efficientnet_b6": (528, 528),
    "efficientnet_b7": (600, 600),
    "efficientnet_v2_s": (384, 384),
    "efficientnet_v2_m": (480, 480),
    "efficientnet_v2_l": (480, 480),
    "mobilenet_v3_small": (224, 256),
    "mobilenet_v3_large": (224, 232),
    "regnet_x_400mf": (224, 232),
    "regnet_x_800mf": (224, 232),
    "regnet_x_1_6gf": (224, 232),
    "regnet_x_3_2gf": (224, 232),
    "regnet_x_8gf": (224, 232),
    "regnet_x_16gf": (224, 232),
    "regnet_x_32gf": (224, 232),
    "regnet_y_400mf": (224, 232),
    "regnet_y_800mf": (224, 232),
    "regnet_y_1_6gf": (224, 232),
    "regnet_y_3_2gf": (224, 232),
    "regnet_y_8gf": (224, 232),
    "regnet_y_16gf": (224, 232),
    "regnet_y_32gf": (224, 232),
    "regnet_y_128gf": (384, 384),
    "resnet18": (224, 256),
    "resnet34": (224, 256),
    "resnet50": (224, 232),
    "resnet101": (224, 232),
    "resnet152": (224, 232),
    "resnext50_32x4d": (224, 232),
    "resnext101_32x8d": (224, 232),
    "resnext101_64x4d": (224, 232),
    "swin_t": (224, 232),
    "swin_s": (224, 246),
    "swin_b": (224, 238),
    "swin_v2_t": (256, 260),
    "swin_v2_s": (256, 260),
    "swin_v2_b": (256, 272),
    "vit_b_16": (224, 256),
    "vit_b_32": (224, 256),
    "vit_l_16": (224, 242),
    "vit_l_32": (224, 256),
    "vit_h_14": (518, 518),
    "wide_resnet50_2": (224, 232),
    "wide_resnet101_2": (224, 232),
}
_HALF_STATISTICS = ("efficientnet_v2_l",)  # all others have ImageNet's mean and standard deviation
_VIT_LAYERS = {"b": 12, "l": 24, "h": 32}


@dataclass(kw_only=True, frozen=True, slots=True)
class Architecture:
    """An architecture.

    name: as in settings and model.json.
    natural_images: a network for natural images. It takes RGB, and training flips images horizontally. The others take
        the channels of their data.
    mean, std: per channel, of values in [0, 1].
    resize_ratio: length of the resized shorter side before the center crop, as a multiple of the image size.
    stages: where each stage of the backbone starts, from input to output: names of modules or parameters. Empty for a
        timm model, which describes its stages itself.
    classifier: name of the submodule that ends with the last linear layer.
    minimum_size: smallest image size in pixels.
    size_multiple: the image size must be a multiple of it.
    """

    name: str
    natural_images: bool = True
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    resize_ratio: float = 256 / 224
    stages: tuple[str, ...] = ()
    classifier: str = ""
    minimum_size: int = 8
    size_multiple: int = 1

    @property
    def is_timm(self) -> bool:
        """Whether timm has the network."""
        return self.name.startswith(TIMM)

    def check_image_size(self, image_size: int) -> None:
        """Raise InputError when the network cannot take images of this height and width."""
        if image_size < self.minimum_size:
            raise InputError(
                f"{self.name} needs images of at least {self.minimum_size} pixels; --image-size is {image_size}"
            )
        if image_size % self.size_multiple:
            below = image_size - image_size % self.size_multiple
            sizes = [
                size for size in (below, below + self.size_multiple) if size >= max(1, self.minimum_size)
            ]
            raise InputError(
                f"{self.name} needs an image size that is a multiple of {self.size_multiple}, such as "
                f"{' or '.join(map(str, sizes))}; --image-size is {image_size}"
            )


def names() -> tuple[str, ...]:
    """Return the architectures that need no timm."""
    return (SMALL_CNN, EFFICIENTNET_LITE0, *_TORCHVISION)


def resolve(name: str) -> Architecture:
    """Return the architecture of a name: one of names(), or `timm/<name>` of a model of timm, when timm is installed.

    Raises InputError for another name.
    """
    if name == SMALL_CNN:
        return Architecture(
            name=name,
            natural_images=False,
            mean=HALF,
            std=HALF,
            resize_ratio=1.0,
            stages=("0", "4", "8"),
        )
    if name == EFFICIENTNET_LITE0:
        starts = ("_conv_stem", *(f"_blocks.{block}" for block in (0, 1, 3, 5, 8, 11, 15)))
        return Architecture(name=name, mean=HALF, std=HALF, stages=starts, classifier="_fc")
    if name in _TORCHVISION:
        return _torchvision(name)
    if name.startswith(TIMM):
        return _timm(name)
    raise InputError(
        f"unknown architecture {name!r}; use one of {', '.join(names())}, or {TIMM}<name> of a model of timm"
    )


def _torchvision(name: str) -> Architecture:
    image_size, resize_size = _TORCHVISION[name]
    statistics = (HALF, HALF) if name in _HALF_STATISTICS else (IMAGENET_MEAN, IMAGENET_STD)
    stages, classifier = _stages(name)
    minimum, multiple = _image_sizes(name)
    return Architecture(
        name=name,
        mean=statistics[0],
        std=statistics[1],
        resize_ratio=resize_size / image_size,
        stages=stages,
        classifier=classifier,
        minimum_size=minimum,
        size_multiple=multiple,
    )


def _stages(name: str) -> tuple[tuple[str, ...], str]:
    """Return where the stages start, and the name of the classifier."""
    family = name.split("_")[0]
    if family == "vit":
        layers = _VIT_LAYERS[name.split("_")[1]]
        return ("class_token", *(f"encoder.layers.encoder_layer_{layer}" for layer in range(layers))), "heads"
    if family == "regnet":
        return ("stem", *(f"trunk_output.block{block}" for block in range(1, 5))), "fc"
    if family in ("convnext", "swin"):  # patches or a downsampling, and the blocks that follow
        head = "classifier" if family == "convnext" else "head"
        return tuple(f"features.{index}" for index in (0, 2, 4, 6)), head
    if family == "mobilenet":  # a stage starts where the resolution is halved
        indices = (0, 1, 2, 4, 9) if name.endswith("small") else (0, 2, 4, 7, 13)
        return tuple(f"features.{index}" for index in indices), "classifier"
    if family == "efficientnet":
        return tuple(f"features.{index}" for index in range(7 if name.endswith("v2_s") else 8)), "classifier"
    return ("conv1", "layer1", "layer2", "layer3", "layer4"), "fc"


def _image_sizes(name: str) -> tuple[int, int]:
    """Return the smallest image size, and the multiple that it must be, in pixels."""
    if match := re.fullmatch(r"vit_\w_(\d+)", name):
        return int(match[1]), int(match[1])
    if name.startswith(("convnext", "swin")):
        return 32, 1
    return 8, 1


def _timm(name: str) -> Architecture:
    config = timm_models.config(name.removeprefix(TIMM))
    if config is None:
        return Architecture(name=name)
    return Architecture(
        name=name,
        mean=tuple(config.mean),
        std=tuple(config.std),
        resize_ratio=1 / config.crop_pct,
        minimum_size=(config.min_input_size or (3, 8, 8))[-1],
    )
