"""The training program, in SageMaker's script mode: `python train.py --key value`, the rest from SM_ variables.

On the 1,797 handwritten digits of scikit-learn (32 x 32, small_cnn, 8 epochs): about 98.8 % on the test
split, in about 6 s on 2 cores, start-up included.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

import checkpoint
import distributed
from dataset import Pictures, Split, channels_of, check_classes, read_split
from distributed import Ranks
from environment import TrainingEnvironment
from errors import InputError
from evaluate import check_finite, evaluate, metric_line
from export import export
from model import ARCHITECTURES, build_model, default_preprocess
from optimize import TrainingState, train_epoch
from preprocess import Preprocess
from settings import Hyperparameters, parse_hyperparameters
from stop import Stopped, StopRequest


def train(
    settings: Hyperparameters, environment: TrainingEnvironment, ranks: Ranks, stop: StopRequest
) -> None:
    """Train, evaluate and export one model. Every rank runs this; rank 0 prints and saves."""

    def say(line: str) -> None:
        if ranks.is_main:
            print(line, flush=True)

    def check_stop() -> None:
        if ranks.any(stop.received):
            say(f"stopped after epoch {len(state.history)}")
            raise Stopped

    # Data
    splits = _read_splits(environment, ranks)
    training = splits["train"]
    _check_shares(settings.batch_size, len(training.paths), ranks.world_size)
    preprocess = default_preprocess(settings.architecture, settings.image_size, channels_of(training))
    pictures = {name: Pictures(split, preprocess) for name, split in splits.items()}
    counts = ", ".join(f"{len(split.paths)} {name}" for name, split in splits.items())
    say(f"{len(training.classes)} classes, {counts} pictures, {ranks.world_size} x {ranks.device.type}")

    # Model
    torch.manual_seed(settings.seed)
    torch.backends.cudnn.deterministic = True
    weights = environment.weights(settings.architecture) if settings.pretrained else None
    model = build_model(settings.architecture, len(training.classes), preprocess.channels, weights)
    parallel = ranks.wrap(model)
    state = TrainingState.start(model, len(training.paths), settings)

    # Resume
    run = {**settings.as_dict(), "classes": list(training.classes)}
    saved = ranks.from_main(checkpoint.read(environment.checkpoint_dir))
    if saved is not None:
        checkpoint.restore(saved, state, run)
        say(f"resumed after epoch {len(state.history)}")

    # Epochs
    for epoch in range(len(state.history) + 1, settings.epochs + 1):
        started = time.perf_counter()
        totals = train_epoch(
            epoch, state, parallel, pictures["train"], preprocess, settings, ranks, check_stop
        )
        seconds = time.perf_counter() - started
        validation = evaluate(model, pictures["valid"], preprocess, settings.batch_size, ranks)
        metrics = {
            **totals.named("train"),
            **validation.named("validation"),
            "images_per_second": totals.count / seconds,
        }
        check_finite(metrics, epoch)
        say(metric_line(metrics, epoch))
        state.history.append(metrics)
        if ranks.is_main and environment.checkpoint_dir is not None:
            checkpoint.save(environment.checkpoint_dir, state, run)

    # Evaluate, once, on pictures that no choice was made on
    held_out = "test" if "test" in pictures else "valid"
    evaluated = evaluate(model, pictures[held_out], preprocess, settings.batch_size, ranks)
    final = dict(state.history[-1])
    if held_out == "test":
        final |= evaluated.named("test")
        say(metric_line(evaluated.named("test")))

    # Export
    if ranks.is_main:
        confusion = {"split": held_out, "classes": training.classes, "matrix": evaluated.confusion.tolist()}
        export(
            environment.model_dir,
            environment.output_data_dir,
            model.state_dict(),
            _describe(settings, training, preprocess, final),
            {**final, "confusion_matrix": confusion, "history": state.history},
        )
        say(f"saved the model to {environment.model_dir}")


def _read_splits(environment: TrainingEnvironment, ranks: Ranks) -> dict[str, Split]:
    """The train, valid and, where there is one, test channels: of the same classes, the same on every rank."""
    names = ["train", "valid", *(["test"] if "test" in environment.channels else [])]
    splits = {name: read_split(name, environment.channel(name)) for name in names}
    for split in splits.values():
        check_classes(splits["train"], split)
    ranks.check_same(repr([(split.classes, len(split.paths)) for split in splits.values()]).encode())
    return splits


def _check_shares(batch_size: int, pictures: int, world_size: int) -> None:
    """Every rank must have a picture of every batch, and a batch may be half the size that was asked for."""
    if world_size > 1 and min(batch_size, pictures) < 2 * world_size:
        raise InputError(
            f"{world_size} ranks need a --batch-size of at least {2 * world_size}, and as many training pictures; "
            f"it is {batch_size}, for {pictures} pictures"
        )


def _describe(
    settings: Hyperparameters, training: Split, preprocess: Preprocess, metrics: dict[str, float]
) -> dict[str, Any]:
    """The content of model.json."""
    return {
        "architecture": settings.architecture,
        "classes": training.classes,
        **asdict(preprocess),
        "hyperparameters": settings.as_dict(),
        "metrics": metrics,
    }


def main(argv: Sequence[str]) -> int:
    """Run the job; the exit status. An operator's error becomes one sentence and the job's FailureReason."""
    environment = TrainingEnvironment.read()
    stop = StopRequest()
    try:
        settings = parse_hyperparameters(argv, tuple(ARCHITECTURES))
        with distributed.join(environment) as ranks:
            train(settings, environment, ranks, stop)
    except Stopped:
        return 0
    except (InputError, FloatingPointError) as error:
        # The toolkit keeps this file, and SageMaker shows its first 1,024 characters.
        environment.output_dir.mkdir(parents=True, exist_ok=True)
        (environment.output_dir / "failure").write_text(f"{error}\n", encoding="utf-8")
        print(f"train.py: error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: gloo's threads may outlast the interpreter's, and abort a process that has succeeded.
    os._exit(status)
