"""The hyperparameters: the command line of the training program."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NoReturn

import architectures
from errors import InputError

OPTIMIZERS = ("adamw", "sgd")
FROM_SCRATCH, LINEAR_PROBE, GRADUAL_UNFREEZING, FINE_TUNING = MODES = (
    "from-scratch",
    "linear-probe",
    "gradual-unfreezing",
    "fine-tuning",
)
HEADS = ("linear", "original")
AUGMENTATIONS = ("none", "crop-flip", "rand", "trivial")
CLASS_BALANCES = ("none", "weights", "sampling")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
TASKS = ("train", "features", "find-lr")


def _number(default: float, low: float, high: float, help: str) -> Any:
    return field(default=default, metadata={"range": (low, high), "help": help})


def _choice(choices: tuple[str, ...], default: str, help: str) -> Any:
    return field(default=default, metadata={"choices": choices, "help": help})


@dataclass(kw_only=True, frozen=True, slots=True)
class Hyperparameters:
    """The hyperparameters of one training run. Raises InputError for a value out of range."""

    task: str = _choice(TASKS, "train", "train a model, compute features only, or find a learning rate")
    architecture: str = field(default="small_cnn", metadata={"help": "network to train"})
    image_size: int = _number(32, 8, 1024, "height and width of the input in pixels")
    mode: str = _choice(
        MODES, FROM_SCRATCH, "what is trained; all but from-scratch start from the weights channel"
    )
    head: str = _choice(HEADS, "linear", "one linear layer, or linear, ReLU and linear as the original")
    epochs: int = _number(8, 1, 10_000, "passes over the training split")
    batch_size: int = _number(64, 1, 65_536, "images per step, over all ranks")
    learning_rate: float = _number(0.003, 1e-8, 100.0, "peak learning rate, after warm-up")
    optimizer: str = _choice(OPTIMIZERS, "adamw", "optimizer")
    weight_decay: float = _number(0.01, 0.0, 100.0, "weight decay of the optimizer")
    warmup: float = _number(
        0.05, 0.0, 0.9, "share of the steps with a rising learning rate; cosine decay follows"
    )
    augmentation: str = _choice(AUGMENTATIONS, "crop-flip", "random changes of training images")
    feature_views: int = _number(
        1, 1, 64, "views of each training image whose features are computed (linear-probe)"
    )
    random_erasing: float = _number(
        0.0, 0.0, 1.0, "probability that a rectangle of a training image is erased"
    )
    mixup: float = _number(0.0, 0.0, 10.0, "alpha of mixup; 0 switches it off")
    cutmix: float = _number(0.0, 0.0, 10.0, "alpha of cutmix; 0 switches it off")
    label_smoothing: float = _number(0.0, 0.0, 0.9, "label smoothing of the loss")
    class_balance: str = _choice(CLASS_BALANCES, "none", "weigh the loss, or sample images, by class")
    ema_decay: float = _number(
        0.0, 0.0, 0.99999, "decay of the moving average of the weights; 0 switches it off"
    )
    clip_norm: float = _number(0.0, 0.0, 1e6, "largest norm of the gradient; 0 switches clipping off")
    accumulation_steps: int = _number(
        1, 1, 1024, "parts of a batch whose gradients are added up, to save memory"
    )
    patience: int = _number(
        0, 0, 10_000, "epochs without a better validation loss after which to stop; 0: never"
    )
    backbone_rate: float = _number(0.1, 0.0, 1.0, "learning rate of the backbone, as a share of the head's")
    layer_decay: float = _number(
        1.0, 0.01, 1.0, "factor of the learning rate from each stage to the one before"
    )
    unfreeze_epochs: int = _number(1, 1, 1000, "epochs between the stages of gradual-unfreezing")
    precision: str = _choice(PRECISIONS, "auto", "of the forward pass; auto: what the hardware is fast with")
    seed: int = _number(0, 0, 2**32 - 1, "seed of the random number generators")
    expected_images: str = field(
        default="",
        metadata={
            "help": "images of each channel by the data set's manifest, such as train=24,valid=4,test=4"
        },
    )

    data_hash: str = field(default="", metadata={"help": "hash of the data set's manifest, for the record"})

    def __post_init__(self) -> None:
        for item in fields(self):
            value, limits = getattr(self, item.name), item.metadata.get("range")
            if (choices := item.metadata.get("choices")) and value not in choices:
                raise InputError(f"--{_flag(item.name)} is {value!r}; it must be one of {', '.join(choices)}")
            if limits and not (math.isfinite(value) and limits[0] <= value <= limits[1]):
                raise InputError(
                    f"--{_flag(item.name)} is {value}; it must be between {limits[0]} and {limits[1]}"
                )
        if self.expected_images and not re.fullmatch(r"(\w+=\d+,)*\w+=\d+", self.expected_images):
            raise InputError(
                f"--expected-images is {self.expected_images!r}; it must look like train=24,valid=4,test=4"
            )

    @property
    def starts_from_weights(self) -> bool:
        """Whether the backbone starts from the weights channel."""
        return self.mode != FROM_SCRATCH

    @property
    def counts(self) -> dict[str, int]:
        """The expected number of images of each channel; empty without --expected-images."""
        pairs = [item.split("=") for item in self.expected_images.split(",") if item]
        return {channel: int(count) for channel, count in pairs}

    def as_dict(self) -> dict[str, Any]:
        """Return name to value, as recorded in model.json."""
        return asdict(self)


def parse_hyperparameters(argv: Sequence[str]) -> Hyperparameters:
    """Parse the `--name value` arguments that the SageMaker toolkit passes.

    Raises InputError for an unknown argument, a value that is not allowed, and an image size that the architecture cannot
    take.
    """
    parser = _Parser(prog="train.py", allow_abbrev=False)
    types: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}
    for item in fields(Hyperparameters):
        parser.add_argument(
            f"--{_flag(item.name)}",
            type=types[str(item.type)],
            choices=item.metadata.get("choices"),
            default=item.default,
            help=item.metadata["help"],
        )
    hyperparameters = Hyperparameters(**vars(parser.parse_args(argv)))
    architectures.resolve(hyperparameters.architecture).check_image_size(hyperparameters.image_size)
    return hyperparameters


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def _flag(name: str) -> str:
    return name.replace("_", "-")
