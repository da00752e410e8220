"""The training program, in SageMaker's script mode: `python train.py --name value`, with the toolkit's SM_ variables.

On scikit-learn's 1,797 handwritten digits (32 x 32, small_cnn, 8 epochs): about 98.8 % accuracy on the test split, in
about 6 s on 2 cores, start-up included.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import architectures
import checkpoint
import modes
from environment import TrainingEnvironment
from epoch import Trainer
from errors import InputError
from evaluate import Metrics, check_finite, evaluate, metric_line, predict_logits
from export import export
from hyperparameters import parse_hyperparameters
from process_group import join_process_group
from run import Run
from run_setup import Setup, build, compute_features, prepare, read_splits
from stop import StopRequest, TrainingStopped
from training_state import TrainingState


def run_task(run: Run) -> None:
    """Run the task of the hyperparameters. Every rank runs this."""
    with run.scratch() as scratch:
        if run.hyperparameters.task == "features":
            save_features(run, scratch)
        else:
            train(run, scratch)


def save_features(run: Run, scratch: Path) -> None:
    """Compute the features of a frozen backbone into the checkpoint folder, from which other jobs read them."""
    hyperparameters, environment = run.hyperparameters, run.environment
    if not hyperparameters.starts_from_weights:
        raise InputError("--task features is for a backbone with weights; --mode is from-scratch")
    if environment.checkpoint_dir is None:
        raise InputError(
            "--task features writes to the checkpoint location, and the job has none; add CheckpointConfig"
        )
    architecture = architectures.resolve(hyperparameters.architecture)
    splits = read_splits(run, architecture)
    weights = environment.weights(architecture.name)
    model, precision = build(run, architecture, splits, weights)
    started = time.perf_counter()
    folder = environment.checkpoint_dir if run.group.is_main else scratch / f"features-{run.group.rank}"
    compute_features(run, architecture, splits, model, precision, weights, folder)
    count = sum(len(split.paths) for split in splits.splits.values())
    run.log(f"features of {count} images saved, in {time.perf_counter() - started:.1f} s")


def train(run: Run, scratch: Path) -> None:
    """Train, evaluate and export one model."""
    setup = prepare(run, scratch)
    state = initial_state(run, setup)
    resume(run, setup, state)
    train_epochs(run, setup, state)
    split, metrics = evaluate_final(run, setup, state)
    save_artifact(run, setup, state, split, metrics)


def initial_state(run: Run, setup: Setup) -> TrainingState:
    """Return the state before the first epoch."""
    groups = modes.parameter_groups(setup.model, setup.architecture, run.hyperparameters)
    images = len(setup.examples["train"].split.labels)
    return TrainingState.initial(setup.trained, groups, images, run.hyperparameters, setup.precision)


def resume(run: Run, setup: Setup, state: TrainingState) -> None:
    """Restore the checkpoint, if there is one. Raises InputError for the checkpoint of another run."""
    saved = run.group.broadcast(checkpoint.read(run.environment.checkpoint_dir))
    if saved is not None:
        checkpoint.restore(saved, state, _checkpoint_key(run, setup))
        run.log(f"resumed after epoch {len(state.history)}")


def train_epochs(run: Run, setup: Setup, state: TrainingState) -> None:
    """Train the remaining epochs, and save a checkpoint after each.

    Raises TrainingStopped after SIGTERM, FloatingPointError when a loss is not finite.
    """
    hyperparameters, group = run.hyperparameters, run.group
    trainer = Trainer(
        hyperparameters=hyperparameters,
        examples=setup.examples["train"],
        precision=setup.precision,
        group=group,
        stop=run.stop,
        log=run.log,
    )
    wrapped = None
    for epoch in range(len(state.history) + 1, hyperparameters.epochs + 1):
        started = time.perf_counter()
        changed = modes.set_trainable(setup.model, setup.architecture, hyperparameters, epoch)
        if wrapped is None or changed:
            wrapped = group.wrap(setup.trained)
        try:
            training = trainer.train_epoch(epoch, state, wrapped)
        except TrainingStopped:
            run.log(f"stopped after epoch {len(state.history)}")
            raise
        group.synchronize(setup.trained)
        seconds = time.perf_counter() - started
        validation = evaluate(
            setup.trained,
            setup.examples["valid"],
            hyperparameters.batch_size,
            group,
            setup.evaluation_precision,
        )
        metrics = {
            **training.named("train"),
            **validation.named("validation"),
            "images_per_second": training.count / seconds,
        }
        check_finite(metrics, epoch)
        run.log(metric_line(metrics, epoch))
        state.history.append(metrics)
        if group.is_main and run.environment.checkpoint_dir is not None:
            checkpoint.save(run.environment.checkpoint_dir, state, _checkpoint_key(run, setup))


def evaluate_final(run: Run, setup: Setup, state: TrainingState) -> tuple[str, dict[str, Metrics]]:
    """Evaluate the trained model in float32, as it is served. Returns the name of a split, and metrics by split.

    The split is test, which no hyperparameter was chosen on. Without a test channel it is valid: the search has chosen
    the hyperparameters on it, so these metrics are not reported as test metrics.
    """
    found: dict[str, Metrics] = {}
    for split, name in (("valid", "validation"), ("test", "test")):
        if split not in setup.examples:
            run.log(
                "no test channel: the confusion matrix is of the valid split, and there are no test metrics"
            )
            return "valid", found
        examples = setup.examples[split]
        logits = predict_logits(setup.trained, examples, run.hyperparameters.batch_size, run.group)
        found[split] = Metrics(len(setup.splits.classes))
        found[split].add(logits, examples.split.labels)
        run.log(metric_line(found[split].named(name)))
    return "test", found


def save_artifact(
    run: Run, setup: Setup, state: TrainingState, split: str, metrics: dict[str, Metrics]
) -> None:
    """Write the model artifact on rank 0. split, metrics: result of the final evaluation."""
    if not run.group.is_main:
        return
    final = {**state.history[-1], **metrics["valid"].named("validation")}
    final |= metrics["test"].named("test") if split == "test" else {}
    description = {
        "architecture": run.hyperparameters.architecture,
        "head": run.hyperparameters.head,
        "classes": setup.splits.classes,
        **asdict(setup.splits.preprocess),
        "hyperparameters": run.hyperparameters.as_dict(),
        "metrics": final,
    }
    matrix = metrics[split].confusion.tolist()
    confusion = {"split": split, "classes": setup.splits.classes, "matrix": matrix}
    report = {**final, "confusion_matrix": confusion, "history": state.history}
    environment = run.environment
    export(environment.model_dir, environment.output_data_dir, setup.model.state_dict(), description, report)
    run.log(f"saved the model to {environment.model_dir}")


def _checkpoint_key(run: Run, setup: Setup) -> dict[str, Any]:
    """Return what must be equal for a run to resume from a checkpoint."""
    return {**run.hyperparameters.as_dict(), "classes": list(setup.splits.classes)}


def main(argv: Sequence[str]) -> int:
    """Run the job and return its exit status. Writes invalid input and NaN losses to the job's failure file."""
    environment = TrainingEnvironment.read()
    stop = StopRequest()
    try:
        hyperparameters = parse_hyperparameters(argv)
        with join_process_group(environment) as group:
            run_task(Run(hyperparameters=hyperparameters, environment=environment, group=group, stop=stop))
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
