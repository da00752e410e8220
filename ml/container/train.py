"""The training program, in SageMaker's script mode: `python train.py --name value`, with the toolkit's SM_ variables.

On scikit-learn's 1,797 handwritten digits (32 x 32, small_cnn, 8 epochs): about 98.8 % accuracy on the test split, in
about 6 s on 2 cores, start-up included.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

import architectures
import checkpoint
from dataset import Split, SplitImages, check_classes, check_count, detect_channels, read_split
from environment import TrainingEnvironment
from epoch import train_epoch
from errors import InputError
from evaluate import Metrics, check_finite, evaluate, metric_line
from export import export
from hyperparameters import Hyperparameters, parse_hyperparameters
from model import build_model, default_preprocess
from modes import set_trainable
from preprocess import Preprocess
from process_group import ProcessGroup, join_process_group
from stop import StopRequest, TrainingStopped
from training_state import TrainingState


@dataclass(kw_only=True, frozen=True, slots=True)
class Run:
    """One training run.

    hyperparameters: values from the command line.
    environment: folders and hosts.
    group: the process group; only rank 0 prints and saves.
    stop: whether SIGTERM was received.
    """

    hyperparameters: Hyperparameters
    environment: TrainingEnvironment
    group: ProcessGroup
    stop: StopRequest

    def log(self, line: str) -> None:
        """Print a line on rank 0."""
        if self.group.is_main:
            print(line, flush=True)


@dataclass(kw_only=True, frozen=True, slots=True)
class Data:
    """The decoded splits.

    images: split name to images; train, valid and, when the job has the channel, test.
    preprocess: the transform of all splits.
    """

    images: dict[str, SplitImages]
    preprocess: Preprocess

    @property
    def train(self) -> Split:
        """The training split."""
        return self.images["train"].split


def train(run: Run) -> None:
    """Train, evaluate and export one model. Every rank runs this."""
    data = load_data(run)
    state = build_state(run, data)
    resume(run, data, state)
    train_epochs(run, data, state)
    split, metrics = evaluate_final(run, data, state)
    save_artifact(run, data, state, split, metrics)


def load_data(run: Run) -> Data:
    """Read and decode the splits. Raises InputError for data that cannot be trained on."""
    names = ["train", "valid", *(["test"] if "test" in run.environment.channels else [])]
    splits = {name: read_split(name, run.environment.channel(name)) for name in names}
    for split in splits.values():
        check_classes(splits["train"], split)
        check_count(split, run.hyperparameters.counts.get(split.name))
    run.group.check_same_data(repr([(split.classes, len(split.paths)) for split in splits.values()]).encode())
    training = splits["train"]
    _check_batch_size(run, len(training.paths))
    architecture = run.hyperparameters.architecture
    channels = 3 if architectures.resolve(architecture).natural_images else detect_channels(training)
    preprocess = default_preprocess(architecture, run.hyperparameters.image_size, channels)
    images = {name: SplitImages(split, preprocess) for name, split in splits.items()}
    counts = ", ".join(f"{len(split.paths)} {name}" for name, split in splits.items())
    world = f"{run.group.world_size} x {run.group.device.type}"
    run.log(f"{len(training.classes)} classes; images: {counts}; devices: {world}")
    return Data(images=images, preprocess=preprocess)


def build_state(run: Run, data: Data) -> TrainingState:
    """Build the model, optimizer and learning rate schedule."""
    hyperparameters = run.hyperparameters
    architecture = hyperparameters.architecture
    torch.manual_seed(hyperparameters.seed)
    torch.backends.cudnn.deterministic = True
    weights = run.environment.weights(architecture) if hyperparameters.starts_from_weights else None
    model = build_model(
        architecture,
        len(data.train.classes),
        channels=data.preprocess.channels,
        image_size=data.preprocess.image_size,
        head=hyperparameters.head,
        weights=weights,
    )
    # The optimizer needs the parameters on the device.
    return TrainingState.initial(model.to(run.group.device), len(data.train.paths), hyperparameters)


def resume(run: Run, data: Data, state: TrainingState) -> None:
    """Restore the checkpoint, if there is one. Raises InputError for the checkpoint of another run."""
    saved = run.group.broadcast(checkpoint.read(run.environment.checkpoint_dir))
    if saved is not None:
        checkpoint.restore(saved, state, _checkpoint_key(run, data))
        run.log(f"resumed after epoch {len(state.history)}")


def train_epochs(run: Run, data: Data, state: TrainingState) -> None:
    """Train the remaining epochs, and save a checkpoint after each.

    Raises TrainingStopped after SIGTERM, FloatingPointError when a loss is not finite.
    """
    hyperparameters, group = run.hyperparameters, run.group

    def check_stop() -> None:
        if group.any(run.stop.received):
            run.log(f"stopped after epoch {len(state.history)}")
            raise TrainingStopped

    architecture = architectures.resolve(hyperparameters.architecture)
    for epoch in range(len(state.history) + 1, hyperparameters.epochs + 1):
        set_trainable(state.model, architecture, hyperparameters, epoch)
        wrapped = group.wrap(state.model)
        started = time.perf_counter()
        training = train_epoch(
            epoch, state, wrapped, data.images["train"], data.preprocess, hyperparameters, group, check_stop
        )
        seconds = time.perf_counter() - started
        metrics = {
            **training.named("train"),
            **_evaluate(run, data, state, "valid").named("validation"),
            "images_per_second": training.count / seconds,
        }
        check_finite(metrics, epoch)
        run.log(metric_line(metrics, epoch))
        state.history.append(metrics)
        if group.is_main and run.environment.checkpoint_dir is not None:
            checkpoint.save(run.environment.checkpoint_dir, state, _checkpoint_key(run, data))


def evaluate_final(run: Run, data: Data, state: TrainingState) -> tuple[str, Metrics]:
    """Evaluate the trained model. Returns the name of the split and its metrics.

    The split is test, which no hyperparameter was chosen on. Without a test channel it is valid: the search has chosen
    the hyperparameters on it, so these metrics are not reported as test metrics.
    """
    if "test" not in data.images:
        run.log("no test channel: the confusion matrix is of the valid split, and there are no test metrics")
        return "valid", _evaluate(run, data, state, "valid")
    metrics = _evaluate(run, data, state, "test")
    run.log(metric_line(metrics.named("test")))
    return "test", metrics


def save_artifact(run: Run, data: Data, state: TrainingState, split: str, metrics: Metrics) -> None:
    """Write the model artifact on rank 0. split, metrics: result of the final evaluation."""
    if not run.group.is_main:
        return
    final = {**state.history[-1], **(metrics.named("test") if split == "test" else {})}
    description = {
        "architecture": run.hyperparameters.architecture,
        "head": run.hyperparameters.head,
        "classes": data.train.classes,
        **asdict(data.preprocess),
        "hyperparameters": run.hyperparameters.as_dict(),
        "metrics": final,
    }
    confusion = {"split": split, "classes": data.train.classes, "matrix": metrics.confusion.tolist()}
    report = {**final, "confusion_matrix": confusion, "history": state.history}
    environment = run.environment
    export(environment.model_dir, environment.output_data_dir, state.model.state_dict(), description, report)
    run.log(f"saved the model to {environment.model_dir}")


def _evaluate(run: Run, data: Data, state: TrainingState, split: str) -> Metrics:
    return evaluate(
        state.model, data.images[split], data.preprocess, run.hyperparameters.batch_size, run.group
    )


def _checkpoint_key(run: Run, data: Data) -> dict[str, Any]:
    """Return what must be equal for a run to resume from a checkpoint."""
    return {**run.hyperparameters.as_dict(), "classes": list(data.train.classes)}


def _check_batch_size(run: Run, images: int) -> None:
    """Raise InputError when a rank could have an empty batch. Batches can be half of --batch-size."""
    batch_size, world_size = run.hyperparameters.batch_size, run.group.world_size
    if world_size > 1 and min(batch_size, images) < 2 * world_size:
        raise InputError(
            f"{world_size} ranks need a --batch-size of at least {2 * world_size}, and as many training images; "
            f"it is {batch_size}, for {images} images"
        )


def main(argv: Sequence[str]) -> int:
    """Run the job and return its exit status. Writes invalid input and NaN losses to the job's failure file."""
    environment = TrainingEnvironment.read()
    stop = StopRequest()
    try:
        hyperparameters = parse_hyperparameters(argv)
        with join_process_group(environment) as group:
            train(Run(hyperparameters=hyperparameters, environment=environment, group=group, stop=stop))
    except TrainingStopped:
        return 0
    except (InputError, FloatingPointError) as error:
        # SageMaker shows the first 1,024 characters of this file as the job's FailureReason.
        environment.output_dir.mkdir(parents=True, exist_ok=True)
        (environment.output_dir / "failure").write_text(f"{error}\n", encoding="utf-8")
        print(f"train.py: error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: gloo's threads can outlive the interpreter and abort a process that has succeeded.
    os._exit(status)
