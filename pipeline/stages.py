"""The stages of the pipeline as a person sees them: progress, a closing line, a result for --json."""

from __future__ import annotations

import time
from typing import Any

from ml.jobs import data as pictures
from ml.jobs import predictions as predict
from ml.jobs import registry, search
from ml.jobs import running as jobs
from ml.jobs import training as job
from ml.jobs.launchers import Launcher
from ops import console
from ops import endpoint_history as generations
from ops import outputs as handover
from ops.aws import check_instance_type, client
from ops.console import Stage, Step, say
from ops.paths import WORK
from ops.settings import Settings
from ops.terraform import saved_plans, stacks
from pipeline import live_checks as deployment
from pipeline.report import comparison

Stages = list[Stage] | None
Saved = saved_plans.SavedPlans | None


def foundation(settings: Settings, stages: Stages = None, saved: Saved = None) -> list[str]:
    """Apply the foundation stack, by a saved plan if there is one. Returns the addresses of what changed."""
    with Step("foundation", stages) as step:
        stack = stacks.foundation(settings, step)
        changes = saved.carry_out(stack) if saved else stack.up()
        step.note = changed(changes, "bucket, key, roles, registry, log groups")
    return [change.address for change in changes]


def access(settings: Settings, saved: Saved = None) -> list[str]:
    """Apply the access stack, by a saved plan if there is one. Returns the addresses of what changed."""
    with Step("access") as step:
        stack = stacks.access(settings, step)
        changes = saved.carry_out(stack) if saved else stack.up()
        step.note = changed(changes, "operator's and CI's roles")
    return [change.address for change in changes]


def data(
    settings: Settings, source: str | None = None, skip_bad: bool = False, stages: Stages = None
) -> dict:
    """Fetch, check and upload pictures. source: as `./inv data --source`; default: the environment's own."""
    made = handover.foundation(settings)
    source = source or settings.dataset
    with Step("data", stages) as step:

        def progress(stage: str, done: int, total: int) -> None:
            step(f"{stage} {done:,} of {total:,}" if total else f"{stage} {done:,}")

        folder = pictures.fetch(source, WORK / "data", progress)
        report = pictures.validate(folder, progress)
        for note in report.notes:
            step(note, important=True)
        left_out = report.accept(skip_bad)
        name = source if source in ("sample", "dogs") else None
        manifest = pictures.manifest(folder, left_out, name, progress)
        done = pictures.upload(
            manifest,
            made.bucket,
            pictures.PREFIX,
            client("s3", settings.region),
            made.kms_key_arn,
            progress,
        )
        splits = ", ".join(f"{sum(n.values()):,} {split}" for split, n in manifest.counts.items())
        step.note = (
            f"{len(manifest.files):,} pictures ({splits}) in {len(manifest.classes)} classes; "
            f"{done.sent:,} sent, {done.unchanged:,} unchanged, {done.deleted:,} deleted"
        )
    if left_out:
        say(
            f"  left out {len(left_out)} pictures: {', '.join(sorted(left_out)[:10])}{' …' if len(left_out) > 10 else ''}"
        )
    return {
        "dataset": manifest.dataset,
        "hash": manifest.hash,
        "classes": len(manifest.classes),
        "counts": {split: sum(n.values()) for split, n in manifest.counts.items()},
        "sent": done.sent,
        "unchanged": done.unchanged,
        "deleted": done.deleted,
        "left_out": sorted(left_out),
    }


def tune(settings: Settings, again: bool = False, stages: Stages = None) -> dict:
    """Search the hyperparameters and show the trials."""
    check_instance_type(settings.training.instance_type, "training")
    with Step("tune", stages) as step:
        step("looking for a search that fits")
        result, trials, ran = search.run(
            settings,
            again=again,
            on_progress=lambda status, done, total: step(f"{status}: {done} of {total} trials ended"),
        )
        step.note = f"{result.tuning_job}: validation accuracy {result.best_objective:.4f}{'' if ran else ' (unchanged)'}"
    _trial_table(trials)
    best = {k: v for k, v in result.hyperparameters.items() if not k.startswith("_")}
    say(
        "  best hyperparameters: " + ", ".join(f"[bold]{k}[/]={v}" for k, v in sorted(best.items())),
        markup=True,
    )
    return {
        "tuning_job": result.tuning_job,
        "best_training_job": result.best_training_job,
        "best_objective": result.best_objective,
        "hyperparameters": best,
        "ran": ran,
        "trials": [vars(trial) for trial in trials],
    }


def stop(settings: Settings, kind: str) -> dict:
    """Order the stop of the jobs under way. kind: "tuning" or "training"."""
    stopped = jobs.stop(settings, kind)
    say(f"Stopping: {', '.join(stopped) or 'no job is under way'}.")
    return {"stopped": stopped}


def _trial_table(trials) -> None:
    """The columns of the SDK's own table of a search."""
    names = sorted({name for trial in trials for name in trial.hyperparameters if not name.startswith("_")})
    columns = [
        *names,
        "TrainingJobName",
        "TrainingJobStatus",
        "FinalObjectiveValue",
        "TrainingStartTime",
        "TrainingEndTime",
        "TrainingElapsedTimeSeconds",
    ]
    rows = [
        [
            *(_number(t.hyperparameters.get(n, "")) for n in names),
            t.name,
            t.status,
            _number(t.objective),
            clock(t.start),
            clock(t.end),
            t.elapsed and f"{t.elapsed:.0f}",
        ]
        for t in trials
    ]
    console.table("Trials", columns, rows)


def train(
    settings: Settings,
    instances: int | None = None,
    again: bool = False,
    stages: Stages = None,
    name: str = "train",
    on: str = "sagemaker",
    launcher: Launcher | None = None,
) -> dict:
    """Train with the tuned hyperparameters, wherever it is to be, and register the model."""
    with Step(name, stages) as step:
        step("looking for a job that fits")
        result, ran = job.run(
            settings,
            on=on,
            launcher=launcher,
            instances=instances,
            again=again,
            on_status=step,
            on_line=lambda line: _show(step, line),
        )
        model = result.model
        step.note = (
            f"version {model.number} ({model.approval}): test accuracy {result.metrics.get('test:accuracy', float('nan')):.4f}"
            f"{'' if ran else ' (unchanged)'}"
        )
    return {
        "training_job": result.training_job,
        "model_version": model.number,
        "model_package_arn": model.arn,
        "approval": model.approval,
        "metrics": result.metrics,
        "seconds": result.seconds,
        "billable_seconds": result.billable_seconds,
        "ran": ran,
    }


def compare(settings: Settings) -> list[dict]:
    """Show what the same training took wherever it ran, if it ran in more than one way."""
    rows = comparison.rows(settings, handover.foundation(settings))
    if len(rows) > 1:
        console.table("Where it was trained", comparison.COLUMNS, comparison.cells(rows))
    return [vars(row) for row in rows]


def deploy(
    settings: Settings,
    model: int | None = None,
    endpoint: str | None = None,
    stages: Stages = None,
    name: str = "deploy",
    saved: Saved = None,
) -> dict:
    """Bring a model version into service, check that it is the one that serves, and ask it something.

    saved: plans of which serving's is applied.
    """
    serving = settings.serving
    if not serving.serverless:
        check_instance_type(serving.instance_type, "hosting")
    made = handover.foundation(settings)
    version = registry.choose(settings, made, model)
    deployment.check_image(settings, version.arn)
    for beside in (serving.second, serving.shadow):
        if beside:
            registry.choose(settings, made, beside.model)
    served = handover.endpoint_name(settings, endpoint)
    with Step(name, stages) as step:
        step("waiting for an update under way")
        if deployment.settled(settings, served) and (before := handover.find_serving(settings, served)):
            deployment.check_convertible(settings, before)
        stack = stacks.serving(settings, served, version.arn, step)
        changes = saved.carry_out(stack) if saved else stack.up()
        target = handover.serving(settings, served)
        step("comparing the live endpoint with the intended one")
        deployment.check_live(settings, target)
        deployment.check_capacity(settings, target)
        step("smoke prediction")
        uri, label = predict.example(settings, made)
        answer = (
            predict.invoke(settings, target, {"s3": uri, "top_k": 1})
            if target.function_name
            else predict.invoke_asynchronously(settings, made, target, uri)
        )["predictions"][0]
        step.note = (
            f"{served} serves version {version.number}; smoke prediction {answer['label']} (is {label}); "
            + changed(changes, "endpoint, scaling, function")
        )
    return {
        "endpoint": served,
        "model_version": version.number,
        "endpoint_config": target.endpoint_config_name,
        "function": target.function_name,
        "alias": target.function_alias,
        "smoke": {**answer, "expected": label},
        "changes": [change.address for change in changes],
    }


def rollback(settings: Settings, endpoint: str | None = None) -> dict:
    """Bring the model that served before back into service, with a deployment's checks."""
    served = handover.serving(settings, endpoint)
    package = generations.previous_package(settings, served.endpoint_name)
    return deploy(settings, int(package.rpartition("/")[2]), endpoint, name="rollback")


def _show(step: Step, line: str) -> None:
    """A log line of a training: its epochs stay, its metrics beside are left out, all else passes by."""
    if told := _progress(line):
        step(told, important=True)
    elif "=" not in line:
        step(line)


def _progress(line: str) -> str:
    """What the training program logs of an epoch, shortened for a person; empty for its other lines."""
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


def accuracy(
    settings: Settings,
    endpoint: str | None = None,
    split: str = "test",
    limit: int | None = None,
    stages: Stages = None,
) -> dict:
    """Send a split through the function and tell how much of it comes back right."""
    made, target = handover.foundation(settings), handover.serving(settings, endpoint)
    with Step("predict", stages) as step:
        result = predict.accuracy(
            settings,
            made,
            target,
            split=split,
            limit=limit,
            on_progress=lambda done, total: step(
                f"{done} of {total} pictures through {target.function_name}"
            ),
        )
        step.note = f"{result.correct} of {result.pictures} {split} pictures right ({result.value:.1%}) through {target.function_name}"
    return {"split": split, "pictures": result.pictures, "correct": result.correct, "accuracy": result.value}


def changed(changes, what: str) -> str:
    """A note on a stack: how much of it changed, or that nothing did."""
    return f"{len(changes)} resources changed" if changes else f"{what} unchanged"


def _number(value) -> str:
    try:
        return f"{float(value):.5g}"
    except (TypeError, ValueError):
        return "" if value is None else str(value)


def clock(moment) -> str | None:
    """A moment in the operator's time zone."""
    return moment and moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def pipeline(settings: Settings, source: str | None = None, skip_bad: bool = False) -> tuple[list, dict]:
    """Every stage in order. Returns the stages for the summary, and their results by name."""
    stages: list = []
    results: dict[str, Any] = {
        "foundation": foundation(settings, stages),
        "data": data(settings, source, skip_bad, stages),
        "tune": tune(settings, stages=stages),
        "train": train(settings, stages=stages),
    }
    # Not a newer version of somebody else's: the one of this run, if it is good enough.
    trained = results["train"]
    results |= {
        "deploy": deploy(
            settings, trained["model_version"] if trained["approval"] == "Approved" else None, stages=stages
        ),
        "predict": accuracy(settings, stages=stages),
    }
    return stages, results


def summary(settings: Settings, stages, began: float) -> None:
    """The closing table: every stage with its seconds, and what to type next. began: time.monotonic() at the start."""
    rows = [(stage.name, f"{stage.seconds:.1f}", stage.note) for stage in stages]
    console.table(
        f"Environment {settings.environment}",
        ["stage", "seconds", "result"],
        [*rows, ("in all", f"{time.monotonic() - began:.1f}", "")],
    )
    env = settings.flag
    say("What next:")
    for command, why in (
        (f"./inv predict{env} --image FILE", "ask the live model about a picture of yours"),
        (f"./inv train{env} --instances 2", "the same training on two instances"),
        (f"./inv ec2.train{env}", "the same on an EC2 host that ends with it"),
        (f"./inv deploy{env} --endpoint multi", "a second endpoint beside the first"),
        (f"./inv status{env}", "what exists and what serves"),
        (f"./inv down{env}", "remove everything"),
    ):
        say(f"  [bold]{command:<38}[/] {why}", markup=True)
