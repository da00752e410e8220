"""The training program, in SageMaker's script mode: `python train.py --name value`, with the toolkit's SM_ variables."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import architectures
import artifact
import checkpoint
import event_files
import lr_finder
import modes
from environment import TrainingEnvironment
from epoch import Trainer
from errors import InputError
from evaluate import check_finite, evaluate, metric_line, predict_outputs
from evaluation import Outputs
from event_files import EventFiles
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
        elif run.hyperparameters.task == "find-lr":
            find_learning_rate(run, scratch)
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
    run.log(f"saved the features of {count} images: features_seconds={time.perf_counter() - started:.1f}")


def train(run: Run, scratch: Path) -> None:
    """Train, evaluate and export one model."""
    setup = prepare(run, scratch)
    state = initial_state(run, setup)
    resume(run, setup, state)
    events = event_files.create(run, state.history)
    train_epochs(run, setup, state, events)
    state.use_final_weights()
    outputs = evaluate_final(run, setup)
    if run.group.is_main:
        evaluation = artifact.write(run, setup, state, outputs)
        events.evaluation(evaluation, len(state.history))
        events.close()


def initial_state(run: Run, setup: Setup) -> TrainingState:
    """Return the state before the first epoch."""
    groups = modes.parameter_groups(setup.model, setup.architecture, run.hyperparameters)
    batches = len(setup.recipe.batches(epoch=1))
    return TrainingState.initial(setup.trained, groups, batches, run.hyperparameters, setup.precision)


def find_learning_rate(run: Run, scratch: Path) -> None:
    """Train a few steps with growing learning rates, and write what was measured in place of a model."""
    setup = prepare(run, scratch)
    state = initial_state(run, setup)
    modes.set_trainable(setup.model, setup.architecture, run.hyperparameters, epoch=1)
    curve = lr_finder.find(trainer(run, setup).probe(state, run.group.wrap(setup.trained)))
    for rate, loss in list(zip(curve.rates, curve.losses, strict=True))[::10]:
        run.log(f"learning rate {rate:.2g}: loss {loss:.4f}")
    run.log(
        "the loss fell at no learning rate"
        if curve.suggested is None
        else f"suggested learning rate: {curve.suggested:.2g}"
    )
    if run.group.is_main:
        batch_size, optimizer = run.hyperparameters.batch_size, run.hyperparameters.optimizer
        found = {**asdict(curve), "batch_size": batch_size, "optimizer": optimizer}
        run.environment.model_dir.mkdir(parents=True, exist_ok=True)
        text = json.dumps(found, indent=2) + "\n"
        (run.environment.model_dir / lr_finder.RESULT).write_text(text, encoding="utf-8")


def trainer(run: Run, setup: Setup) -> Trainer:
    """Return what trains the epochs."""
    return Trainer(
        hyperparameters=run.hyperparameters,
        examples=setup.examples["train"],
        recipe=setup.recipe,
        loss=setup.recipe.loss.to(run.group.device),
        precision=setup.precision,
        group=run.group,
        stop=run.stop,
        log=run.log,
    )


def resume(run: Run, setup: Setup, state: TrainingState) -> None:
    """Restore the checkpoint, if there is one. Raises InputError for the checkpoint of another run."""
    saved = run.group.broadcast(checkpoint.read(run.environment.checkpoint_dir))
    if saved is not None:
        checkpoint.restore(saved, state, _checkpoint_key(run, setup))
        run.log(f"resumed after epoch {len(state.history)}")


def train_epochs(run: Run, setup: Setup, state: TrainingState, events: EventFiles) -> None:
    """Train the remaining epochs, until the recipe stops, and save a checkpoint after each.

    Raises TrainingStopped after SIGTERM, FloatingPointError when a loss is not finite.
    """
    hyperparameters, group = run.hyperparameters, run.group
    epochs, wrapped = trainer(run, setup), None
    for epoch in range(len(state.history) + 1, hyperparameters.epochs + 1):
        if state.stopping.is_due(epoch - 1):
            run.log(f"stopped early: epoch {state.stopping.epoch} has the lowest validation loss")
            return
        started = time.perf_counter()
        changed = modes.set_trainable(setup.model, setup.architecture, hyperparameters, epoch)
        if wrapped is None or changed:
            wrapped = group.wrap(setup.trained)
        try:
            training = epochs.train_epoch(epoch, state, wrapped)
        except TrainingStopped:
            run.log(f"stopped after epoch {len(state.history)}")
            raise
        group.synchronize(setup.trained)
        if state.average is not None:
            group.synchronize(state.average.model)
        seconds = time.perf_counter() - started
        validation = evaluate(
            state.evaluated,
            setup.examples["valid"],
            hyperparameters.batch_size,
            group,
            setup.evaluation_precision,
        )
        metrics = {
            **training.named("train"),
            **validation.named("validation"),
            "images_per_second": training.count / seconds,
            "learning_rate": max(map(float, state.scheduler.get_last_lr())),
        }
        check_finite(metrics, epoch)
        run.log(metric_line(metrics, epoch))
        events.epoch(epoch, metrics)
        state.end_epoch(metrics)
        if group.is_main and run.environment.checkpoint_dir is not None:
            checkpoint.save(run.environment.checkpoint_dir, state, _checkpoint_key(run, setup))


def evaluate_final(run: Run, setup: Setup) -> dict[str, Outputs]:
    """Return what the trained model returns for the images of valid and, if the job has the channel, test. Collective.

    test is the split that no hyperparameter was chosen on. Without it there are no test metrics: the search has chosen
    the hyperparameters on valid.
    """
    found = {}
    for split, name in (("valid", "validation"), ("test", "test")):
        if split not in setup.examples:
            run.log("no test channel: the evaluation is of the valid split, and there are no test metrics")
            continue
        examples, batch_size = setup.examples[split], run.hyperparameters.batch_size
        found[split] = predict_outputs(setup.trained, examples, batch_size, run.group)
        run.log(metric_line(found[split].metrics().named(name)))
    return found


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
