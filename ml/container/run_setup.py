"""What a run trains: the model, and the examples that its trained part sees.

Not setup.py: SageMaker's toolkit installs a program with a file of this name as a package.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

import architectures
import features
from architectures import Architecture
from augmentation import Augmentation
from dataset import Split, SplitImages, Splits, check_classes, check_count, detect_channels, read_split
from errors import InputError
from examples import Examples, ImageExamples
from hyperparameters import LINEAR_PROBE, Hyperparameters
from model import Classifier, build_model, default_preprocess
from precision import channels_last, choose_precision
from pretrained import weights_digest
from recipe import Recipe
from run import Run
from sampling import imbalance
from threads import count_flops, set_threads

FEATURES = "features"  # the channel
MAX_IMBALANCE = 10  # of the largest class's images to the smallest's; ml/jobs/training.py has the same


@dataclass(kw_only=True, frozen=True, slots=True)
class Setup:
    """A model and its examples, on the device of the process group.

    model: the whole model.
    trained: the part of it that takes the inputs of the examples: its head, on features of a frozen backbone, or all.
    examples: split name to examples.
    precision: of the forward pass of training.
    recipe: what training does with its batches.
    """

    architecture: Architecture
    splits: Splits
    model: Classifier
    trained: nn.Module
    examples: dict[str, Examples]
    precision: torch.dtype
    recipe: Recipe

    @property
    def on_features(self) -> bool:
        """Whether the examples are features."""
        return self.trained is not self.model

    @property
    def evaluation_precision(self) -> torch.dtype:
        """Precision of the evaluation after each epoch."""
        return torch.float32 if self.on_features else self.precision


def prepare(run: Run, scratch: Path) -> Setup:
    """Read the data, build the model, and compute or read the features of a frozen backbone. Collective.

    scratch: folder for files that are needed during the run only; the ranks of a host share it.
    Raises InputError for data, weights or hyperparameters that cannot be trained with.
    """
    hyperparameters, environment = run.hyperparameters, run.environment
    architecture = architectures.resolve(hyperparameters.architecture)
    stored = hyperparameters.mode == LINEAR_PROBE and FEATURES in environment.channels
    weights = environment.weights(architecture.name) if hyperparameters.starts_from_weights else None
    if stored:
        key = features_key(hyperparameters, weights)
        own = environment.splits if "train" in environment.channels else ()
        splits, examples = features.read(environment.channel(FEATURES), key, own)
        _check_counts(run, splits.splits)
    else:
        splits = read_splits(run, architecture)
    model, precision = build(run, architecture, splits, weights)
    if stored:
        found: dict[str, Examples] = dict(examples)
    elif hyperparameters.mode == LINEAR_PROBE:
        found = dict(
            compute_features(
                run, architecture, splits, model, precision, weights, scratch / f"features-{run.group.rank}"
            )
        )
    else:
        found = _image_examples(run, splits, architecture, scratch)
    trained = model.head if hyperparameters.mode == LINEAR_PROBE else model
    return Setup(
        architecture=architecture,
        splits=splits,
        model=model,
        trained=trained,
        examples=found,
        precision=torch.float32 if trained is not model else precision,
        recipe=Recipe.of(hyperparameters, splits.splits["train"]),
    )


def read_splits(run: Run, architecture: Architecture) -> Splits:
    """List the images of the splits. Raises InputError for data that cannot be trained on. Collective."""
    environment, hyperparameters = run.environment, run.hyperparameters
    splits = {name: read_split(name, environment.channel(name)) for name in environment.splits}
    for split in splits.values():
        check_classes(splits["train"], split)
    _check_counts(run, splits)
    run.group.check_same_data(repr([(split.classes, len(split.paths)) for split in splits.values()]).encode())
    channels = 3 if architecture.natural_images else detect_channels(splits["train"])
    return Splits(splits, default_preprocess(architecture.name, hyperparameters.image_size, channels))


def build(
    run: Run, architecture: Architecture, splits: Splits, weights: Path | None
) -> tuple[Classifier, torch.dtype]:
    """Return the model, on the device, and the precision of its forward pass. Chooses the number of threads."""
    hyperparameters, group = run.hyperparameters, run.group
    torch.manual_seed(hyperparameters.seed)
    torch.backends.cudnn.deterministic = True
    model = build_model(
        architecture.name,
        len(splits.classes),
        channels=splits.preprocess.channels,
        image_size=hyperparameters.image_size,
        head=hyperparameters.head,
        weights=weights,
    )
    _check_batch_size(run, splits.splits["train"], model)
    _warn_of_imbalance(run, splits.splits["train"])
    flops = count_flops(model, splits.preprocess.channels, hyperparameters.image_size)
    model = channels_last(model.to(group.device))
    precision = choose_precision(hyperparameters.precision, group.device, flops)
    threads = set_threads(flops * hyperparameters.batch_size / group.world_size, group.local_size)
    counts = ", ".join(f"{len(split.paths)} {name}" for name, split in splits.splits.items())
    run.log(
        f"{len(splits.classes)} classes; images: {counts}; devices: {group.world_size} x {group.device.type}"
    )
    run.log(f"{architecture.name}: {str(precision).removeprefix('torch.')}, threads: {threads}")
    return model, precision


def compute_features(
    run: Run,
    architecture: Architecture,
    splits: Splits,
    model: Classifier,
    precision: torch.dtype,
    weights: Path | None,
    folder: Path,
) -> dict[str, features.FeatureExamples]:
    """Compute the features of all splits into a folder. Collective."""
    key = features_key(run.hyperparameters, weights)
    augmentation = _augmentation(run, splits, architecture)
    backbone = features.Backbone(model.backbone, key, precision, augmentation)
    return features.compute(run, splits, backbone, folder)


def _image_examples(
    run: Run, splits: Splits, architecture: Architecture, folder: Path
) -> dict[str, Examples]:
    preprocess, augmentation = splits.preprocess, _augmentation(run, splits, architecture)
    return {
        name: ImageExamples(SplitImages(split, preprocess, run.group, folder), preprocess, augmentation)
        for name, split in splits.splits.items()
    }


def _augmentation(run: Run, splits: Splits, architecture: Architecture) -> Augmentation:
    hyperparameters = run.hyperparameters
    return Augmentation(
        splits.preprocess,
        hyperparameters.augmentation,
        flip=architecture.natural_images,
        erasing=hyperparameters.random_erasing,
    )


def features_key(hyperparameters: Hyperparameters, weights: Path | None) -> dict[str, Any]:
    """Return what decides the features of a set of images."""
    key: dict[str, Any] = {
        "architecture": hyperparameters.architecture,
        "image_size": hyperparameters.image_size,
        "weights": weights_digest(weights) if weights else "",
        "precision": hyperparameters.precision,
        "feature_views": hyperparameters.feature_views,
    }
    if hyperparameters.feature_views > 1:
        deciding = ("augmentation", "random_erasing", "seed")
        key |= {name: getattr(hyperparameters, name) for name in deciding}
    return key


def _check_counts(run: Run, splits: dict[str, Split]) -> None:
    for split in splits.values():
        check_count(split, run.hyperparameters.counts.get(split.name))


def _check_batch_size(run: Run, split: Split, model: nn.Module) -> None:
    """Raise InputError when a rank could have an empty batch, or a batch too small for batch normalization."""
    hyperparameters, world_size = run.hyperparameters, run.group.world_size
    batch_size, images, recipe = (
        hyperparameters.batch_size,
        len(split.paths),
        Recipe.of(hyperparameters, split),
    )
    # A batch can be half as large as --batch-size, and mixing needs two images that belong together.
    least = (4 if recipe.mixing.is_on else 2) * world_size
    if world_size > 1 and min(batch_size, images) < least:
        raise InputError(
            f"{world_size} ranks need a --batch-size of at least {least}, and as many training images; "
            f"it is {batch_size}, for {images} images"
        )
    normalized = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())
    if normalized and hyperparameters.mode != LINEAR_PROBE and recipe.smallest_share(world_size) < 2:
        raise InputError(
            f"{hyperparameters.architecture} has batch normalization, which needs at least 2 images per step and rank; "
            f"--batch-size is {batch_size}, for {images} images on {world_size} ranks"
        )


def _warn_of_imbalance(run: Run, split: Split) -> None:
    """Print a warning when a class is much smaller than another and nothing makes up for it."""
    if run.hyperparameters.class_balance != "none" or imbalance(split.labels) <= MAX_IMBALANCE:
        return
    counts = torch.bincount(split.labels)
    rare, common = int(counts.argmin()), int(counts.argmax())
    run.log(
        f"warning: class {split.classes[rare]} has {counts[rare]} training images and class {split.classes[common]} has "
        f"{counts[common]}: the model may never predict {split.classes[rare]}; set --class-balance to weights or sampling"
    )
