"""The command line: `./inv TASK`. Each task reads what the one before left in AWS, works, and leaves its own."""

from __future__ import annotations

import subprocess
import sys
import time

from invoke import Collection, Exit, task

from cli import ec2, local, workbench
from cli.check import check
from cli.policies import policies
from cli.task import AGAIN, ENV, JSON, environment, local_home, operator_task, point_at
from cli.terraform import any_package, apply, destroy, plan
from ops import console
from ops import settings as environments
from ops.console import Step, emit, say
from ops.errors import OperatorError
from ops.paths import ROOT

# ---- the whole pipeline ----


@operator_task(help=JSON)
def demo(c, json=False):
    """The whole pipeline on the embedded AWS, with real handwritten digits; run again, only what has changed."""
    from pipeline import stages

    began = time.monotonic()
    settings = environment("local")
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
    from pipeline import stages

    began = time.monotonic()
    settings = environment(env)
    done, results = stages.pipeline(settings, source, skip_bad)
    stages.summary(settings, done, began)
    emit({"seconds": round(time.monotonic() - began, 1), **results}, json)


@operator_task(help={**ENV, **JSON})
def down(c, env=None, json=False):
    """Remove everything of an environment, in order, then look for leftovers; exits non-zero if any is left."""
    from ml.jobs import running as jobs
    from ops.terraform import stacks
    from pipeline import teardown
    from pipeline.workbench import workbench as bench

    settings = environments.load(env)
    if settings.embedded_aws:
        from embedded_aws import client as daemon

        if not local_home().exists():
            say("Nothing is left: the embedded AWS has never been started here, or is gone.")
            emit({"left": []}, json)
            return
    settings = environment(env)
    deployed, endpoints = stacks.deployed(settings), stacks.deployed_endpoints(settings)
    teardown.check_foundation(settings, [*endpoints, *teardown.ON_DEMAND])
    with Step("jobs") as step:
        stopped = jobs.stop_all(settings, step)
        step.note = f"{len(stopped)} stopped"
    if "training_host" in deployed:
        with Step("training host") as step:
            step.note = f"{len(stacks.training_host(settings, step).down())} resources removed"
    if bench.STACK in deployed:
        with Step("workbench") as step:
            step.note = f"{len(bench.remove(settings, step))} resources removed"
    for endpoint in endpoints:
        with Step("serving") as step:
            changes = stacks.serving(settings, endpoint, any_package(settings), step).down()
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
            daemon.destroy(local_home())
            step.note = "stopped; its state is removed"
    emit({"left": []}, json)


@operator_task(help={**ENV, **JSON})
def status(c, env=None, json=False):
    """What exists in an environment, and what serves."""
    from pipeline import status as report

    settings = environments.load(env)
    if settings.embedded_aws:
        from embedded_aws import client as daemon

        if not daemon.status(local_home()).running:
            kept = " (its state is kept)" if local_home().exists() else ""
            say(f"The embedded AWS is not running{kept}: nothing serves. ./inv up starts it.")
            emit({"embedded_aws": {"running": False}}, json)
            return
        point_at(settings)
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
    from pipeline import stages

    settings = environment(env)
    result = stages.data(settings, source, skip_bad)
    say(f"Next: ./inv tune{settings.flag}")
    emit(result, json)


@operator_task(help={**ENV, **JSON, **AGAIN, "stop": "stop the searches that are under way"})
def tune(c, env=None, again=False, stop=False, json=False):
    """Search the hyperparameters on the validation split; prints the trials and the best."""
    from pipeline import stages

    settings = environment(env)
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
        "on": "sagemaker (default), ec2 for a host of its own, or here for this machine",
        "instances": "how many instances of SageMaker train together",
        "stop": "stop the jobs of SageMaker that are under way",
    }
)
def train(c, env=None, on="sagemaker", instances=0, again=False, stop=False, json=False):
    """Train with the best hyperparameters, on SageMaker, an EC2 host or here, and register the model."""
    from pipeline import stages

    settings = environment(env)
    if stop:
        return emit(stages.stop(settings, "training"), json)
    result = stages.train(settings, instances or None, again, on=on)
    result["comparison"] = stages.compare(settings)
    say(f"Next: ./inv deploy{settings.flag} --model {result['model_version']}")
    emit(result, json)


@operator_task(help={**ENV, **JSON})
def models(c, env=None, json=False):
    """The registered model versions, with accuracy and lineage."""
    from ml.jobs import registry
    from ops import outputs as handover
    from pipeline import stages

    settings = environment(env)
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


@operator_task(help={**ENV, **JSON, "file": "where to write it (default: below .work/)"})
def report(c, env=None, file=None, json=False):
    """Write one HTML page: what training took on SageMaker, EC2 and here, the search, the model versions."""
    from pathlib import Path

    from ops.paths import WORK
    from pipeline.report import page

    settings = environment(env)
    path = Path(file) if file else WORK / "reports" / f"{settings.environment}.html"
    with Step("report") as step:
        found = page.collect(settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page.render(found))
        step.note = str(path)
    emit({"report": str(path), "comparison": [vars(row) for row in found["comparison"]]}, json)


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
    from pipeline import stages

    settings = environment(env)
    result = stages.deploy(settings, model or None, endpoint)
    also = f" --endpoint {endpoint}" if endpoint else ""
    say(f"Next: ./inv predict{settings.flag}{also} --image FILE, or --split test for its accuracy")
    emit(result, json)


@operator_task(help={**ENV, **JSON, "endpoint": "another endpoint than the environment's own"})
def rollback(c, env=None, endpoint=None, json=False):
    """Bring the model that served before back into service, and check it as a deployment; again, and the newer is back."""
    from pipeline import stages

    settings = environment(env)
    result = stages.rollback(settings, endpoint)
    say(
        f"Next: ./inv status{settings.flag}; ./inv deploy{settings.flag} takes the newest approved model again"
    )
    emit(result, json)


@operator_task(
    help={
        **ENV,
        **JSON,
        "image": "a picture file",
        "url": "https URL of a picture",
        "s3": "s3:// URI in the environment's bucket",
        "split": "send a whole split (train, valid, test) and tell the accuracy",
        "limit": "at most so many of the split",
        "top-k": "how many classes to return",
        "endpoint": "another endpoint than the environment's own",
    }
)
def predict(
    c, env=None, image=None, url=None, s3=None, split=None, limit=0, top_k=0, endpoint=None, json=False
):
    """Ask the live model about a picture (or one of the test split), through the function, as a caller would."""
    from ml.jobs import predictions as job
    from ops import outputs as handover
    from pipeline import stages

    settings = environment(env)
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


# ---- this repository ----


@task(help={"k": "only tests whose name matches", "quick": "only the unit tests (under a minute)"})
def test(c, k=None, quick=False):
    """The whole test suite; needs no AWS account."""
    share = "worksteal" if quick else "loadfile"  # tests of a file share an embedded AWS
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", share, "-q"]
    command += ["-k", k] if k else []
    command += ["-m", "not slow"] if quick else []
    raise Exit(code=subprocess.run(command, cwd=ROOT).returncode)


namespace = Collection(
    demo,
    up,
    down,
    status,
    data,
    tune,
    train,
    models,
    report,
    deploy,
    rollback,
    predict,
    plan,
    apply,
    destroy,
    check,
    policies,
    test,
    ec2,
    workbench,
    local,
)
