"""The hyperparameters: the command line of the training program."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NoReturn

from errors import InputError

OPTIMIZERS = ("adamw", "sgd")


@dataclass(kw_only=True, frozen=True)
class Hyperparameters:
    """What one training run is given. Raises InputError for a value out of range.

    batch_size is global: over all ranks. image_size is in pixels.
    """

    architecture: str = "small_cnn"
    image_size: int = 32
    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 0.003
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    seed: int = 0
    pretrained: bool = False

    def __post_init__(self) -> None:
        limits = {
            "image_size": (8, 1024),
            "epochs": (1, 10_000),
            "batch_size": (1, 65_536),
            "learning_rate": (1e-8, 100.0),
            "weight_decay": (0.0, 100.0),
            "seed": (0, 2**32 - 1),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} is {value}; it must be between {low} and {high}")

    def as_dict(self) -> dict[str, Any]:
        """Name to value, as model.json records them."""
        return asdict(self)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def parse_hyperparameters(argv: Sequence[str], architectures: Sequence[str]) -> Hyperparameters:
    """Read `--key value` pairs as the SageMaker toolkit passes them. Raises InputError for anything else."""
    parser = _Parser(prog="train.py", allow_abbrev=False)
    choices = {"architecture": architectures, "optimizer": OPTIMIZERS}
    kinds: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float, "bool": _boolean}
    for field in fields(Hyperparameters):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=kinds[str(field.type)],
            choices=choices.get(field.name),
            default=field.default,
        )
    return Hyperparameters(**vars(parser.parse_args(argv)))


def _boolean(text: str) -> bool:
    """The toolkit turns the hyperparameter `true` into the argument `True`."""
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return values[text.lower()]
