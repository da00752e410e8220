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
from ops.paths import ROOT

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
    elif url := os.environ.get("AWS_ENDPOINT_URL"):
        say(f"AWS_ENDPOINT_URL is set: environment {settings.environment} is the one at {url}.")
    return settings


def _point_at(settings) -> None:
    from local_aws import daemon

    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(daemon.variables(LOCAL_HOME, settings.region))


def _port(option: int = 0) -> int | None:
    """The port that the operator asked for, by --port before LOCAL_AWS_PORT."""
    name, value = ("--port", str(option)) if option else ("LOCAL_AWS_PORT", os.environ.get("LOCAL_AWS_PORT"))
    if value is None:
        return None
    if not value.isdigit() or not 1024 <= int(value) <= 65535:
        raise OperatorError(f"{name} is {value!r}: give a port from 1024 to 65535.")
    return int(value)


def _short(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(ROOT) else str(path)


# ---- the whole pipeline ----


@operator_task(help=JSON)
def demo(c, json=False):
    """The whole pipeline on the embedded AWS, with real handwritten digits; run again, only what has changed."""
    from ml.jobs import stages

    began = time.monotonic()
    settings = _environment("local")
    done, results = stages.pipeline(settings)
    stages.summary(settings, done, began)
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
    from ml.jobs import stages

    began = time.monotonic()
    settings = _environment(env)
    done, results = stages.pipeline(settings, source, skip_bad)
    stages.summary(settings, done, began)
    emit({"seconds": round(time.monotonic() - began, 1), **results}, json)


@operator_task(help={**ENV, **JSON})
def down(c, env=None, json=False):
    """Remove everything of an environment, in order, then look for leftovers; exits non-zero if any is left."""
    from ops import jobs, stacks, teardown

    settings = environments.load(env)
    if settings.embedded_aws:
        from local_aws import daemon

        if not LOCAL_HOME.exists():
            say("Nothing is left: the embedded AWS has never been started here, or is gone.")
            emit({"left": []}, json)
            return
    settings = _environment(env)
    endpoints = stacks.deployed_endpoints(settings)
    teardown.check_foundation(settings, endpoints)
    with Step("jobs") as step:
        stopped = jobs.stop_all(settings, step)
        step.note = f"{len(stopped)} stopped"
    for endpoint in endpoints:
        with Step("serving") as step:
            changes = stacks.serving(settings, endpoint, _any_package(settings), step).down()
            teardown.wait_for_endpoint(settings, endpoint)
            step.note = f"{endpoint}: {len(changes)} resources removed"
    with Step("models") as step:
        step.note = f"{teardown.delete_models(settings)} versions removed"
    with Step("foundation") as step:
        step("emptying the bucket")
        teardown.empty_bucket(settings)
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
    console.table(
        f"Environment {settings.environment}", ["what", "name", "state"], report.rows(settings, found)
    )
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
    from ml.jobs import stages

    settings = _environment(env)
    result = stages.data(settings, source, skip_bad)
    say(f"Next: ./inv tune{settings.flag}")
    emit(result, json)


@operator_task(help={**ENV, **JSON, **AGAIN, "stop": "stop the searches that are under way"})
def tune(c, env=None, again=False, stop=False, json=False):
    """Search the hyperparameters on the validation split; prints the trials and the best."""
    from ml.jobs import stages

    settings = _environment(env)
    if stop:
        return emit(stages.stop(settings, "tuning"), json)
    result = stages.tune(settings, again)
    say(f"Next: ./inv train{settings.flag}")
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
    from ml.jobs import stages

    settings = _environment(env)
    if stop:
        return emit(stages.stop(settings, "training"), json)
    result = stages.train(settings, instances or None, again)
    say(f"Next: ./inv deploy{settings.flag} --model {result['model_version']}")
    emit(result, json)


@operator_task(help={**ENV, **JSON})
def models(c, env=None, json=False):
    """The registered model versions, with accuracy and lineage."""
    from ml.jobs import handover, registry, stages

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
        [v.number, v.approval, *(v.lineage.get(n, "") for n in columns[2:-1]), stages.clock(v.created)]
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
    from ml.jobs import stages

    settings = _environment(env)
    result = stages.deploy(settings, model or None, endpoint)
    also = f" --endpoint {endpoint}" if endpoint else ""
    say(f"Next: ./inv predict{settings.flag}{also} --image FILE, or --split test for its accuracy")
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
    """Ask the live model about a picture (or one of the test split), through the function, as a caller would."""
    from ml.jobs import handover, stages
    from ml.jobs import predict as job

    settings = _environment(env)
    if split:
        return emit(stages.accuracy(settings, endpoint, split, limit or None), json)
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
    from ml.jobs import stages

    settings = _environment(env)
    if stack == "serving":
        return emit(stages.deploy(settings, model or None, endpoint), json)
    from ops import stacks

    stack and stacks.check_name(stack)
    changed = {"foundation": stages.foundation(settings)}
    if not stack:
        changed["serving"] = stages.deploy(settings, model or None, endpoint)["changes"]
    emit(changed, json)


@operator_task(help={**ENV, **JSON, **STACK})
def destroy(c, env=None, stack=None, model=0, endpoint=None, json=False):
    """Destroy a stack; without --stack an endpoint's and then the foundation. `down` also removes what is not Terraform's."""
    from ml.jobs import handover
    from ops import stacks, teardown

    chosen = [stacks.check_name(stack)] if stack else ["serving", "foundation"]
    settings = _environment(env)
    served = handover.endpoint_name(settings, endpoint)
    if "foundation" in chosen:
        teardown.check_foundation(settings, going=[served] if "serving" in chosen else [])
    removed = {}
    for name in chosen:
        with Step(name) as step:
            if name == "serving":
                item = stacks.serving(settings, served, _any_package(settings), step)
            else:
                teardown.delete_models(settings)
                teardown.empty_bucket(settings)
                item = stacks.foundation(settings, step)
            removed[name] = [change.address for change in item.down()]
            if name == "serving":
                teardown.wait_for_endpoint(settings, served)
            step.note = f"{len(removed[name])} resources removed"
    emit(removed, json)


# ---- this repository ----


@task(help={"k": "only tests whose name matches", "quick": "only the unit tests (under a minute)"})
def test(c, k=None, quick=False):
    """The whole test suite; needs no AWS account."""
    share = "worksteal" if quick else "loadfile"  # tests of a file share an embedded AWS
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", share, "-q"]
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
        address = daemon.start(LOCAL_HOME, _port(port), time_scale)
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
    since = found.since and time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.since))
    console.table("Embedded AWS", ["what", "value"], {**vars(found), "since": since}.items())
    emit(vars(found), json)


@operator_task(
    name="interrupt",
    help={"job": "name of a running spot training job", "seconds": "how long no instances are to be had"},
)
def local_interrupt(c, job, seconds=0):
    """Take a spot training job's instances away, after AWS's notice; it goes on from its checkpoint."""
    from local_aws import daemon

    daemon.interrupt(LOCAL_HOME, environments.load("local").region, job, seconds)
    say(f"{job} is Interrupted; it starts again with new instances.")


local = Collection("local", local_up, local_down, local_status, local_interrupt)
namespace = Collection(
    demo, up, down, status, data, tune, train, models, deploy, predict, plan, apply, destroy, test, local
)
