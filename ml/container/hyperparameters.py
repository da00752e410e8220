"""The hyperparameters: the command line of the training program."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, NoReturn

from errors import InputError

OPTIMIZERS = ("adamw", "sgd")


def _number(default: float, low: float, high: float, help: str) -> Any:
    return field(default=default, metadata={"range": (low, high), "help": help})


@dataclass(kw_only=True, frozen=True, slots=True)
class Hyperparameters:
    """The hyperparameters of one training run. Raises InputError for a value out of range."""

    architecture: str = field(default="small_cnn", metadata={"help": "network to train"})
    image_size: int = _number(32, 8, 1024, "height and width of the input in pixels")
    epochs: int = _number(8, 1, 10_000, "passes over the training split")
    batch_size: int = _number(64, 1, 65_536, "images per step, over all ranks")
    learning_rate: float = _number(0.003, 1e-8, 100.0, "peak learning rate, after warm-up")
    optimizer: str = field(default="adamw", metadata={"help": "optimizer", "choices": OPTIMIZERS})
    weight_decay: float = _number(0.01, 0.0, 100.0, "weight decay of the optimizer")
    seed: int = _number(0, 0, 2**32 - 1, "seed of the random number generators")
    expected_images: str = field(
        default="",
        metadata={
            "help": "images of each channel by the data set's manifest, such as train=24,valid=4,test=4"
        },
    )
    pretrained: bool = field(
        default=False, metadata={"help": "train only the head, on weights of the weights channel"}
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value, limits = getattr(self, item.name), item.metadata.get("range")
            if limits and not (math.isfinite(value) and limits[0] <= value <= limits[1]):
                raise InputError(
                    f"--{_flag(item.name)} is {value}; it must be between {limits[0]} and {limits[1]}"
                )
        if self.expected_images and not re.fullmatch(r"(\w+=\d+,)*\w+=\d+", self.expected_images):
            raise InputError(
                f"--expected-images is {self.expected_images!r}; it must look like train=24,valid=4,test=4"
            )

    @property
    def counts(self) -> dict[str, int]:
        """The expected number of images of each channel; empty without --expected-images."""
        pairs = [item.split("=") for item in self.expected_images.split(",") if item]
        return {channel: int(count) for channel, count in pairs}

    def as_dict(self) -> dict[str, Any]:
        """Return name to value, as recorded in model.json."""
        return asdict(self)


def parse_hyperparameters(argv: Sequence[str], architectures: Sequence[str]) -> Hyperparameters:
    """Parse the `--name value` arguments that the SageMaker toolkit passes.

    architectures: the allowed values of --architecture.
    Raises InputError for an unknown argument or a value that is not allowed.
    """
    parser = _Parser(prog="train.py", allow_abbrev=False)
    types: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float, "bool": _boolean}
    for item in fields(Hyperparameters):
        parser.add_argument(
            f"--{_flag(item.name)}",
            type=types[str(item.type)],
            choices=architectures if item.name == "architecture" else item.metadata.get("choices"),
            default=item.default,
            help=item.metadata["help"],
        )
    return Hyperparameters(**vars(parser.parse_args(argv)))


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _boolean(text: str) -> bool:
    """Parse a boolean. The toolkit turns the hyperparameter `true` into the argument `True`."""
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return values[text.lower()]
