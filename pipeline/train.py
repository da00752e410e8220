"""The training stage: train on a launcher, register the model, compare the launchers."""

from __future__ import annotations

import os
from typing import Any

from ml.jobs import features, running, tracking, training
from ml.jobs.launchers import factory
from ml.jobs.launchers.base import Launcher
from ops import console
from ops.console import Stage, Step, say
from ops.environment import Environment
from ops.text import clause
from pipeline import preflight
from pipeline.report import comparison
from pipeline.training_progress import TrainingProgress


def run(
    env: Environment,
    *,
    launcher: Launcher | None = None,
    on: str = "sagemaker",
    instances: int | None = None,
    again: bool = False,
    stages: list[Stage] | None = None,
    name: str = "train",
) -> dict[str, Any]:
    """Train with the tuned hyperparameters and register the model.

    launcher: where to train; by default the one that `on` names.
    instances: how many instances of SageMaker train together; by default as many as the settings say.
    again: also if a training with these inputs has succeeded.
    """
    launcher = launcher or factory.create(on, env)
    progress = TrainingProgress(env.settings.training.epochs)
    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(text)
        step.remark(f"warning: {text}")

    with Step(name, stages) as step:
        step("looking for an existing job")
        result, ran = training.run(
            env,
            launcher,
            instances=instances,
            again=again,
            on_status=step,
            on_line=lambda line: _show_log_line(step, progress, line),
            before_start=lambda count: _check_quotas(env, launcher, step, count),
            on_warning=warn,
        )
        model = result.model
        accuracy = result.metrics.get("test:accuracy", float("nan"))
        if tracked := tracking.track(env, result, os.environ.get(tracking.VARIABLE, "")):
            step.remark(tracked)
        if problem := _not_approved(env, result):
            step.degrade(problem)
        if not ran:
            step.unchanged()
        unchanged = "" if ran else " (unchanged)"
        step.note = f"version {model.number} ({model.approval}): test accuracy {accuracy:.4f}{unchanged}"
    return {
        **step.ending,
        "training_job": result.training_job,
        "model_version": model.number,
        "model_package_arn": model.arn,
        "approval": model.approval,
        "approved": model.is_approved,
        "metrics": result.metrics,
        "warnings": warnings,
        "seconds": result.seconds,
        "billable_seconds": result.billable_seconds,
        "ran": ran,
    }


def _not_approved(env: Environment, result: training.Result) -> str:
    """Return why the model cannot be deployed, and what can be done, as a clause; empty if it is approved."""
    model, settings = result.model, env.settings
    if model.is_approved:
        return ""
    if model.is_rejected:
        why = f": {clause(model.because)}" if model.because else ""
        return f"version {model.number} was rejected{why}"
    accuracy, minimum = result.metrics.get("test:accuracy"), settings.training.minimum_accuracy
    found = (
        "its accuracy on the test split was not measured"
        if accuracy is None
        else f"its test accuracy {accuracy:.4f} is below the minimum of {minimum:g}"
    )
    return (
        f"version {model.number} waits for approval: {found} (training.minimum_accuracy). Train longer "
        f"(training.epochs) or on more images; lower the minimum in environments/{settings.environment}.toml; or approve it "
        f'with ./inv models{settings.flag} --approve {model.number} --because "…"'
    )


def compare(env: Environment) -> list[dict[str, Any]]:
    """Print what the same training cost on each launcher, if it ran on several. Returns the rows."""
    rows = comparison.rows(env)
    if len(rows) > 1:
        console.table("Where it was trained", comparison.COLUMNS, comparison.cells(rows))
    return [vars(row) for row in rows]


def stop(env: Environment, kind: str) -> dict[str, Any]:
    """Stop the running jobs of a kind, without waiting.

    kind: "tuning", for searches and the jobs that compute features for them, or "training".
    """
    stopped = running.stop(env, kind)
    if kind == "tuning":
        stopped += running.stop(env, "training", features.job_prefix(env.settings))
    say(f"Stopping: {', '.join(stopped) or 'no job is running'}.")
    return {"stopped": stopped}


def _check_quotas(env: Environment, launcher: Launcher, step: Step, instances: int) -> None:
    """Check the quotas of SageMaker. The EC2 launcher checks its own before each launch."""
    if launcher.name == "sagemaker":
        preflight.check_training(env, f"./inv train{env.settings.flag}", step.remark, instances)


def _show_log_line(step: Step, progress: TrainingProgress, line: str) -> None:
    """Show a log line of a training: epochs stay visible above the progress, other metrics are left out."""
    moved = progress.read(line)
    if text := epoch_progress(line):
        step(text, important=True)
    elif "=" not in line and not moved:
        step(line)
    if moved:
        step.follow(progress.text)


def epoch_progress(line: str) -> str:
    """Return the metrics of an epoch from a log line of the training program; empty for other lines."""
    found = dict(part.split("=", 1) for part in line.split() if "=" in part)
    try:
        return (
            f"epoch {found['epoch']}: train loss {float(found['train:loss']):.4f}, "
            f"validation loss {float(found['validation:loss']):.4f} "
            f"accuracy {float(found['validation:accuracy']):.4f}, "
            f"{float(found['images_per_second']):,.0f} images/s"
        )
    except (KeyError, ValueError):
        return ""
