"""The command line: `./inv TASK`. Each task reads what the one before left in AWS, works, and leaves its own."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from pathlib import Path

from invoke import Collection, Exit, task

from ops import console
from ops import settings as environments
from ops.console import Step, emit, say
from ops.errors import OperatorError
from ops.paths import ROOT, WORK

LOCAL_HOME = Path(os.environ.get("LOCAL_AWS_HOME", ROOT / ".local_aws"))
ENV = {"env": "environment: local (default), dev, prod, or another environments/*.toml; INVOKE_ENV sets it"}
JSON = {"json": "print the result as JSON on standard output"}
AGAIN = {"again": "run anew even if nothing has changed since the last success"}


def operator_task(*, help: dict[str, str] | None = None, **options):
    """An invoke task whose operator's errors are one sentence, and whose interruption is no traceback."""

    def decorate(body):
        @functools.wraps(body)
        def run(*arguments, **named):
            from botocore.exceptions import BotoCoreError, ClientError

            from local_aws.errors import LocalAwsError
            from ops.aws import aws_errors

            try:
                with aws_errors(f"./inv {body.__name__.replace('_', '.', 1)}"):
                    return body(*arguments, **named)
            except (OperatorError, LocalAwsError) as error:
                raise Exit(f"inv: {error}", 1) from error
            except (ClientError, BotoCoreError, OSError) as error:
                raise Exit(f"inv: {type(error).__name__}: {error}", 1) from error
            except KeyboardInterrupt:
                raise Exit(
                    "inv: interrupted; the same command takes up where this one stopped.", 130
                ) from None

        return task(run, help=help or {}, **options)

    return decorate


def _environment(name: str | None):
    """The settings of an environment, with this process pointed at its AWS."""
    settings = environments.load(name)
    if settings.embedded_aws:
        from local_aws import daemon

        if not daemon.status(LOCAL_HOME).running:
            with Step("embedded AWS") as step:
                address = daemon.start(LOCAL_HOME, _port())
                step.note = f"at {address.endpoint_url}, state in {_short(LOCAL_HOME)}"
        _point_at(settings)
    return settings


def _point_at(settings) -> None:
    from local_aws import daemon

    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(daemon.variables(LOCAL_HOME, settings.region))


def _port() -> int | None:
    value = os.environ.get("LOCAL_AWS_PORT")
    if value is None:
        return None
    if not value.isdigit() or not 1024 <= int(value) <= 65535:
        raise OperatorError(f"LOCAL_AWS_PORT is {value!r}: give a port from 1024 to 65535.")
    return int(value)


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(ROOT) else str(path)


# ---- stages: each does one step of the pipeline and returns what the summary and --json need ----


def _foundation(settings, stages=None) -> list[str]:
    from ops import stacks

    with Step("foundation", stages) as step:
        changes = stacks.foundation(settings, step).up()
        step.note = _changed(changes, "bucket, key, roles, registry, log groups")
    return [change.address for change in changes]


def _data(settings, source: str | None = None, skip_bad: bool = False, stages=None) -> dict:
    from ml.jobs import data, handover
    from ops.aws import client

    foundation = handover.foundation(settings)
    source = source or settings.dataset
    with Step("data", stages) as step:

        def progress(stage: str, done: int, total: int) -> None:
            step(f"{stage} {done:,} of {total:,}" if total else f"{stage} {done:,}")

        folder = data.fetch(source, WORK / "data", progress)
        report = data.validate(folder, progress)
        for note in report.notes:
            step(note, important=True)
        left_out = report.accept(skip_bad)
        name = source if source in ("sample", "dogs") else None
        manifest = data.manifest(folder, left_out, name, progress)
        done = data.upload(
            manifest,
            foundation.bucket,
            data.PREFIX,
            client("s3", settings.region),
            foundation.kms_key_arn,
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
        "dataset": manifest.dataset, "hash": manifest.hash, "classes": len(manifest.classes),
        "counts": {split: sum(n.values()) for split, n in manifest.counts.items()},
        "sent": done.sent, "unchanged": done.unchanged, "deleted": done.deleted, "left_out": sorted(left_out),
    }  # fmt: skip


def _tune(settings, again: bool = False, stages=None) -> dict:
    from ml.jobs import tune
    from ops.aws import check_instance_type

    check_instance_type(settings.training.instance_type, "training")
    with Step("tune", stages) as step:
        step("looking for a search that fits")
        result, trials, ran = tune.run(
            settings,
            again=again,
            on_progress=lambda status, done, total: step(f"{status}: {done} of {total} trials ended"),
        )
        step.note = f"{result.tuning_job}: validation accuracy {result.best_objective:.4f}{'' if ran else ' (unchanged)'}"
    _trial_table(trials)
    best = {k: v for k, v in result.hyperparameters.items() if not k.startswith("_")}
    say("  best hyperparameters: " + ", ".join(f"[bold]{k}[/]={v}" for k, v in sorted(best.items())))
    return {
        "tuning_job": result.tuning_job, "best_training_job": result.best_training_job,
        "best_objective": result.best_objective, "hyperparameters": best, "ran": ran,
        "trials": [vars(trial) for trial in trials],
    }  # fmt: skip


def _trial_table(trials) -> None:
    names = sorted({name for trial in trials for name in trial.hyperparameters if not name.startswith("_")})
    columns = [*names, "TrainingJobName", "TrainingJobStatus", "FinalObjectiveValue", "TrainingStartTime",
               "TrainingEndTime", "TrainingElapsedTimeSeconds"]  # fmt: skip
    rows = [
        [*(_number(t.hyperparameters.get(n, "")) for n in names), t.name, t.status, _number(t.objective),
         _clock(t.start), _clock(t.end), t.elapsed and f"{t.elapsed:.0f}"]
        for t in trials
    ]  # fmt: skip
    console.table("Trials", columns, rows)


def _train(
    settings, instances: int | None = None, again: bool = False, stages=None, name: str = "train"
) -> dict:
    from ml.jobs import train
    from ops.aws import check_instance_type

    check_instance_type(settings.training.instance_type, "training")
    if instances is not None and not 1 <= instances <= 20:
        raise OperatorError(f"--instances {instances}: give 1 to 20.")
    with Step(name, stages) as step:
        step("looking for a job that fits")
        result, ran = train.run(
            settings, instances=instances, again=again, on_status=step,
            on_line=lambda line: step(line, important=True) if line.startswith(("epoch=", "test:")) else None,
        )  # fmt: skip
        model = result.model
        step.note = (
            f"version {model.number} ({model.approval}): test accuracy {result.metrics.get('test:accuracy', float('nan')):.4f}"
            f"{'' if ran else ' (unchanged)'}"
        )
    return {
        "training_job": result.training_job, "model_version": model.number, "model_package_arn": model.arn,
        "approval": model.approval, "metrics": result.metrics, "seconds": result.seconds, "ran": ran,
    }  # fmt: skip


def _deploy(settings, model: int | None = None, endpoint: str | None = None, stages=None) -> dict:
    from ml.jobs import deployment, handover, predict, registry
    from ops import stacks
    from ops.aws import check_instance_type

    check_instance_type(settings.serving.instance_type, "hosting")
    foundation = handover.foundation(settings)
    version = registry.choose(settings, foundation, model)
    name = handover.endpoint_name(settings, endpoint)
    with Step("deploy", stages) as step:
        changes = stacks.serving(settings, name, version.arn, step).up()
        target = handover.serving(settings, name)
        step("comparing the live endpoint with the intended one")
        deployment.check_live(settings, target)
        deployment.check_capacity(settings, target)
        step("smoke prediction")
        uri, label = predict.example(settings, foundation)
        answer = predict.invoke(settings, target, {"s3": uri, "top_k": 1})["predictions"][0]
        step.note = (
            f"{name} serves version {version.number}; smoke prediction {answer['label']} (is {label}); "
            + _changed(changes, "endpoint, scaling, function")
        )
    return {
        "endpoint": name, "model_version": version.number, "endpoint_config": target.endpoint_config_name,
        "function": target.function_name, "alias": target.function_alias, "smoke": {**answer, "expected": label},
        "changes": [change.address for change in changes],
    }  # fmt: skip


def _accuracy(
    settings, endpoint: str | None = None, split: str = "test", limit: int | None = None, stages=None
) -> dict:
    from ml.jobs import handover, predict

    foundation, target = handover.foundation(settings), handover.serving(settings, endpoint)
    with Step("predict", stages) as step:
        result = predict.accuracy(
            settings, foundation, target, split=split, limit=limit,
            on_progress=lambda done, total: step(f"{done} of {total} pictures through {target.function_name}"),
        )  # fmt: skip
        step.note = f"{result.correct} of {result.pictures} {split} pictures right ({result.value:.1%}) through {target.function_name}"
    return {"split": split, "pictures": result.pictures, "correct": result.correct, "accuracy": result.value}


def _changed(changes, what: str) -> str:
    return f"{len(changes)} resources changed" if changes else f"{what} unchanged"


def _number(value) -> str:
    try:
        return f"{float(value):.5g}"
    except (TypeError, ValueError):
        return "" if value is None else str(value)


def _clock(moment) -> str | None:
    return moment and moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _pipeline(settings, source: str | None = None, skip_bad: bool = False) -> tuple[list, dict]:
    stages: list = []
    results = {
        "foundation": _foundation(settings, stages),
        "data": _data(settings, source, skip_bad, stages),
        "tune": _tune(settings, stages=stages),
        "train": _train(settings, stages=stages),
    }
    # Not a newer version of somebody else's: the one of this run, if it is good enough.
    trained = results["train"]
    results |= {
        "deploy": _deploy(
            settings, trained["model_version"] if trained["approval"] == "Approved" else None, stages=stages
        ),
        "predict": _accuracy(settings, stages=stages),
    }
    return stages, results


def _summary(settings, stages, began: float) -> None:
    from ml.jobs.handover import flag

    rows = [(stage.name, f"{stage.seconds:.1f}", stage.note) for stage in stages]
    console.table(f"Environment {settings.environment}", ["stage", "seconds", "result"],
                  [*rows, ("in all", f"{time.monotonic() - began:.1f}", "")])  # fmt: skip
    env = flag(settings)
    say("What next:")
    for command, why in (
        (f"./inv predict{env} --image FILE", "ask the live model about a picture of yours"),
        (f"./inv train{env} --instances 2", "the same training on two instances"),
        (f"./inv deploy{env} --endpoint multi", "a second endpoint beside the first"),
        (f"./inv status{env}", "what exists and what serves"),
        (f"./inv down{env}", "remove everything"),
    ):
        say(f"  [bold]{command:<38}[/] {why}")


# ---- the whole pipeline ----


@operator_task(help=JSON)
def demo(c, json=False):
    """The whole pipeline on the embedded AWS, with real handwritten digits: no account, no Docker. Run again, it does
    only what has changed."""
    began = time.monotonic()
    settings = _environment("local")
    stages, results = _pipeline(settings)
    _summary(settings, stages, began)
    emit({"seconds": round(time.monotonic() - began, 1), **results}, json)


@operator_task(
    help={
        **ENV,
        **JSON,
        "source": "sample, dogs, a folder, a zip, or the URL of a zip",
        "skip-bad": "leave out bad pictures",
    }
)
def up(c, env=None, source=None, skip_bad=False, json=False):
    """The whole pipeline for an environment: foundation, data, tuning, training, endpoint, function. Resumable."""
    began = time.monotonic()
    settings = _environment(env)
    stages, results = _pipeline(settings, source, skip_bad)
    _summary(settings, stages, began)
    emit({"seconds": round(time.monotonic() - began, 1), **results}, json)


@operator_task(help={**ENV, **JSON})
def down(c, env=None, json=False):
    """Remove everything of an environment, in order, then look for leftovers; exits non-zero if any is left."""
    from ops import stacks, teardown

    settings = environments.load(env)
    if settings.embedded_aws:
        from local_aws import daemon

        if not LOCAL_HOME.exists():
            say("Nothing is left: the embedded AWS has never been started here, or is gone.")
            emit({"left": []}, json)
            return
    settings = _environment(env)
    with Step("jobs") as step:
        stopped = teardown.stop_jobs(settings)
        step.note = f"{len(stopped)} stopped"
    for endpoint in stacks.deployed_endpoints(settings):
        with Step("serving") as step:
            changes = stacks.serving(settings, endpoint, _any_package(settings), step).down()
            step.note = f"{endpoint}: {len(changes)} resources removed"
    with Step("models") as step:
        step.note = f"{teardown.delete_models(settings)} versions removed"
    with Step("foundation") as step:
        changes = stacks.foundation(settings, step).down()
        step.note = f"{len(changes)} resources removed"
    with Step("sweep") as step:
        left = teardown.sweep(settings)
        if not left:
            teardown.delete_states(settings)
        step.note = (
            f"{len(left)} things left"
            if left
            else "nothing is left (the KMS key waits for its deletion, free of charge)"
        )
    if left:
        console.table(
            "Left over",
            ["kind", "name", "bills"],
            [(x.kind, x.name, "yes" if x.billable else "no") for x in left],
        )
        raise OperatorError(f"{len(left)} things are left: remove them by hand or run ./inv down again.")
    if settings.embedded_aws:
        with Step("embedded AWS") as step:
            daemon.destroy(LOCAL_HOME)
            step.note = "stopped; its state is removed"
    emit({"left": []}, json)


def _any_package(settings) -> str:
    """A well-formed ARN: destroying needs every input, but not this one's value."""
    from ops.aws import account_id

    return (
        f"arn:aws:sagemaker:{settings.region}:{account_id(settings.region)}:model-package/{settings.prefix}/1"
    )


@operator_task(help={**ENV, **JSON})
def status(c, env=None, json=False):
    """What exists in an environment, and what serves."""
    from ml.jobs import status as report

    settings = environments.load(env)
    if settings.embedded_aws:
        from local_aws import daemon

        if not daemon.status(LOCAL_HOME).running:
            kept = " (its state is kept)" if LOCAL_HOME.exists() else ""
            say(f"The embedded AWS is not running{kept}: nothing serves. ./inv up starts it.")
            emit({"embedded_aws": {"running": False}}, json)
            return
        _point_at(settings)
    found = report.collect(settings)
    console.table(f"Environment {settings.environment}", ["what", "name", "state"], report.rows(found))
    emit(found, json)


# ---- the steps ----


@operator_task(
    help={
        **ENV,
        **JSON,
        "source": "sample, dogs, a folder, a zip, or the URL of a zip",
        "skip-bad": "leave out bad pictures",
    }
)
def data(c, env=None, source=None, skip_bad=False, json=False):
    """Fetch pictures, check them, split them if need be, and upload what has changed."""
    settings = _environment(env)
    result = _data(settings, source, skip_bad)
    say(f"Next: ./inv tune{_flag(settings)}")
    emit(result, json)


@operator_task(help={**ENV, **JSON, **AGAIN, "stop": "stop the searches that are under way"})
def tune(c, env=None, again=False, stop=False, json=False):
    """Search the hyperparameters on the validation split; prints the trials and the best."""
    settings = _environment(env)
    if stop:
        from ml.jobs import tune as job

        return say(f"Stopping: {', '.join(job.stop(settings)) or 'no search is under way'}.")
    result = _tune(settings, again)
    say(f"Next: ./inv train{_flag(settings)}")
    emit(result, json)


@operator_task(
    help={
        **ENV,
        **JSON,
        **AGAIN,
        "instances": "how many instances train together",
        "stop": "stop the jobs that are under way",
    }
)
def train(c, env=None, instances=0, again=False, stop=False, json=False):
    """Train with the best hyperparameters, on one instance or several, and register the model."""
    settings = _environment(env)
    if stop:
        from ml.jobs import train as job

        return say(f"Stopping: {', '.join(job.stop(settings)) or 'no job is under way'}.")
    result = _train(settings, instances or None, again)
    say(f"Next: ./inv deploy{_flag(settings)} --model {result['model_version']}")
    emit(result, json)


@operator_task(help={**ENV, **JSON})
def models(c, env=None, json=False):
    """The registered model versions, with accuracy and lineage."""
    from ml.jobs import handover, registry

    settings = _environment(env)
    found = registry.versions(settings, handover.foundation(settings))
    columns = [
        "version",
        "approval",
        "test_accuracy",
        "architecture",
        "instance_count",
        "dataset",
        "training_job",
        "git_commit",
        "created",
    ]
    rows = [
        [v.number, v.approval, *(v.lineage.get(n, "") for n in columns[2:-1]), _clock(v.created)]
        for v in found
    ]
    console.table(f"Models of {settings.prefix}", columns, rows)
    emit([vars(version) for version in found], json)


@operator_task(
    help={
        **ENV,
        **JSON,
        "model": "version to deploy (default: the newest approved)",
        "endpoint": "a second endpoint, by a suffix such as multi",
    }
)
def deploy(c, env=None, model=0, endpoint=None, json=False):
    """Bring a registered model into service, check that it is the one that serves, and ask it something."""
    settings = _environment(env)
    result = _deploy(settings, model or None, endpoint)
    also = f" --endpoint {endpoint}" if endpoint else ""
    say(f"Next: ./inv predict{_flag(settings)}{also} --image FILE, or --split test for its accuracy")
    emit(result, json)


@operator_task(
    help={
        **ENV, **JSON, "image": "a picture file", "url": "https URL of a picture", "s3": "s3:// URI in the environment's bucket",
        "split": "send a whole split (train, valid, test) and tell the accuracy", "limit": "at most so many of the split",
        "top-k": "how many classes to return", "endpoint": "another endpoint than the environment's own",
    }
)  # fmt: skip
def predict(
    c, env=None, image=None, url=None, s3=None, split=None, limit=0, top_k=0, endpoint=None, json=False
):
    """Ask the live model about a picture, through the Lambda function, as a caller would. Without a picture: one of the
    test split."""
    from ml.jobs import handover
    from ml.jobs import predict as job

    settings = _environment(env)
    if split:
        return emit(_accuracy(settings, endpoint, split, limit or None), json)
    target = handover.serving(settings, endpoint)
    if not (image or url or s3):
        s3, label = job.example(settings, handover.foundation(settings))
        say(f"{s3} (is {label}):")
    answer = job.invoke(settings, target, job.event(image, url, s3, top_k or None))
    console.table(
        "", ["class", "probability"], [(p["label"], f"{p['probability']:.4f}") for p in answer["predictions"]]
    )
    emit(answer, json)


# ---- Terraform ----

STACK = {
    "stack": "foundation or serving (default: both)",
    "model": "model version for serving",
    "endpoint": "which endpoint, by suffix",
}


def _serving_package(settings, model: int, endpoint: str) -> str:
    """The model version to plan with: the one named, else the one that serves, else the newest approved."""
    from ml.jobs import handover, registry

    foundation = handover.foundation(settings)
    if not model:
        serving = {s.endpoint_name: s.model_package_arn for s in handover.all_serving(settings)}
        if endpoint in serving:
            return serving[endpoint]
    return registry.choose(settings, foundation, model or None).arn


@operator_task(help={**ENV, **JSON, **STACK})
def plan(c, env=None, stack=None, model=0, endpoint=None, json=False):
    """What Terraform would change, resource by resource."""
    from ml.jobs import handover
    from ops import stacks

    chosen = [stacks.check_name(stack)] if stack else list(stacks.NAMES)
    settings = _environment(env)
    name = handover.endpoint_name(settings, endpoint)
    plans = {}
    with Step("plan") as step:
        if "foundation" in chosen:
            step("foundation")
            plans["foundation"] = stacks.foundation(settings, step, plan_only=True).plan().changes
        if "serving" in chosen:
            step("serving")
            try:
                package = _serving_package(settings, model, name)
            except OperatorError as error:
                if stack or model:
                    raise
                say(f"  serving is not planned: {error}")
            else:
                plans["serving"] = stacks.serving(settings, name, package, step).plan().changes
        step.note = ", ".join(f"{root}: {len(changes)} changes" for root, changes in plans.items())
    rows = [(root, "/".join(c.actions), c.address) for root, changes in plans.items() for c in changes]
    if rows:
        console.table("Plan", ["stack", "action", "resource"], rows)
    emit({root: [vars(change) for change in changes] for root, changes in plans.items()}, json)


@operator_task(help={**ENV, **JSON, **STACK})
def apply(c, env=None, stack=None, model=0, endpoint=None, json=False):
    """Plan and apply a stack, or both."""
    settings = _environment(env)
    if stack == "serving":
        return emit(_deploy(settings, model or None, endpoint), json)
    from ops import stacks

    stack and stacks.check_name(stack)
    changed = {"foundation": _foundation(settings)}
    if not stack:
        changed["serving"] = _deploy(settings, model or None, endpoint)["changes"]
    emit(changed, json)


@operator_task(help={**ENV, **JSON, **STACK})
def destroy(c, env=None, stack=None, model=0, endpoint=None, json=False):
    """Destroy a stack; without --stack the serving one and then the foundation. `down` also removes what is not Terraform's."""
    from ml.jobs import handover
    from ops import stacks, teardown

    chosen = [stacks.check_name(stack)] if stack else ["serving", "foundation"]
    settings = _environment(env)
    removed = {}
    for name in chosen:
        with Step(name) as step:
            if name == "serving":
                item = stacks.serving(
                    settings, handover.endpoint_name(settings, endpoint), _any_package(settings), step
                )
            else:
                teardown.delete_models(settings)
                item = stacks.foundation(settings, step)
            removed[name] = [change.address for change in item.down()]
            step.note = f"{len(removed[name])} resources removed"
    emit(removed, json)


# ---- this repository ----


@task(help={"k": "only tests whose name matches", "quick": "only the unit tests (under a minute)"})
def test(c, k=None, quick=False):
    """The whole test suite; needs no AWS account."""
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-q"]
    command += ["-k", k] if k else []
    command += ["-m", "not slow"] if quick else []
    raise Exit(code=subprocess.run(command, cwd=ROOT).returncode)


# ---- the embedded AWS by itself ----


@operator_task(
    name="up",
    help={
        "port": "port on 127.0.0.1 (default: the last one, or the first free from 5005)",
        "time-scale": "run service clocks this many times faster",
    },
)
def local_up(c, port=0, time_scale=1.0):
    """Start the embedded AWS and print the variables that point any AWS tool at it: eval "$(./inv local.up)"."""
    from local_aws import daemon

    with Step("embedded AWS") as step:
        address = daemon.start(LOCAL_HOME, port or _port(), time_scale)
        step.note = f"at {address.endpoint_url}, state in {_short(LOCAL_HOME)}"
    for name, value in daemon.variables(LOCAL_HOME, environments.load("local").region).items():
        print(f"export {name}={value}")


@operator_task(name="down", help={"forget": "remove the state, too"})
def local_down(c, forget=False):
    """Stop the embedded AWS and every process of it; its state is kept for the next start."""
    from local_aws import daemon

    with Step("embedded AWS") as step:
        was_running = daemon.status(LOCAL_HOME).running
        daemon.destroy(LOCAL_HOME) if forget else daemon.stop(LOCAL_HOME)
        step.note = ("stopped" if was_running else "was not running") + (
            "; state removed" if forget else "; state kept"
        )


@operator_task(name="status", help=JSON)
def local_status(c, json=False):
    """Whether the embedded AWS runs, where, and since when."""
    from local_aws import daemon

    found = daemon.status(LOCAL_HOME)
    console.table("Embedded AWS", ["what", "value"], vars(found).items())
    emit(vars(found), json)


def _flag(settings) -> str:
    from ml.jobs.handover import flag

    return flag(settings)


local = Collection("local", local_up, local_down, local_status)
namespace = Collection(
    demo, up, down, status, data, tune, train, models, deploy, predict, plan, apply, destroy, test, local
)
