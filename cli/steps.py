"""The tasks of single steps: data, tune, train, models, report, deploy, rollback, predict."""

from __future__ import annotations

from pathlib import Path

from invoke.context import Context

from cli.pipeline import SOURCE
from cli.task import AGAIN, ENV, JSON, connect, finish, operator_task, refuse_unused
from ops.console import emit, say
from ops.errors import Refused
from ops.paths import WORK

ENDPOINT = {
    "endpoint": "suffix of another endpoint, such as multi (default: the environment's first endpoint)"
}
OTHER_DATA = {
    "allow-other-data": "deploy the model even if it was trained on another data set or other classes; status shows it"
}


@operator_task(
    help={
        **ENV,
        **JSON,
        **SOURCE,
        "on": "here (default) for this machine, or sagemaker for a processing job, which reads s3:// URIs and URLs",
        "instance-type": "SageMaker instance type of the processing job, such as ml.m5.4xlarge",
        "stop": "stop the running processing jobs",
    }
)
def data(
    c: Context,
    env: str | None = None,
    source: str | None = None,
    skip_bad: bool = False,
    split: str | None = None,
    on: str = "here",
    instance_type: str | None = None,
    stop: bool = False,
    json: bool = False,
) -> None:
    """Fetch images, check them, split them if needed, and upload what has changed."""
    from pipeline import data

    data.check_place(on)
    if on == "here":
        refuse_unused(instance_type=instance_type, reason="only --on sagemaker runs on an instance")
    environment = connect(env)
    if stop:
        return emit(data.stop(environment), json)
    if on == "here":
        result = data.run(environment, source, skip_bad, split=split)
    else:
        result = data.run_on_sagemaker(
            environment, source, skip_bad, split=split, instance_type=instance_type
        )
    say(f"Next: ./inv tune{environment.settings.flag}")
    finish(result, json)


@operator_task(
    help={
        **ENV,
        **JSON,
        **AGAIN,
        "strategy": "Bayesian, Random, Grid or Hyperband (default: the environment's, as for all options)",
        "jobs": "how many training jobs the search runs in total",
        "parallel": "how many training jobs run at a time",
        "early-stopping": "let SageMaker stop training jobs that are unlikely to be the best",
        "spot": "run the training jobs on Spot capacity; an interrupted one resumes from its checkpoint",
        "from": "tuning job to start from, or several with commas: their trials count as known (warm start)",
        "original": "the original's search: batch size and learning rate, 2 jobs, one at a time, ml.m5.2xlarge",
        "stop": "stop the running searches",
    }
)
def tune(
    c: Context,
    env: str | None = None,
    again: bool = False,
    stop: bool = False,
    json: bool = False,
    strategy: str | None = None,
    jobs: int = 0,
    parallel: int = 0,
    early_stopping: bool = False,
    spot: bool = False,
    from_: str | None = None,
    original: bool = False,
) -> None:
    """Search the hyperparameters on the validation split; prints the trials and the best.

    Options replace settings under [tuning] for this search. With mode linear-probe, a job of its own computes the
    features of the images first, and all trials use them.
    """
    from pipeline import train, tune

    options = {
        "strategy": strategy,
        "max_jobs": jobs or None,
        "max_parallel_jobs": parallel or None,
        "early_stopping": "Auto" if early_stopping else None,
        "spot": spot or None,
        "warm_start": {"jobs": from_.split(",")} if from_ else None,
    }
    environment = connect(env)
    if stop:
        return emit(train.stop(environment, "tuning"), json)
    environment = tune.with_options(environment, original=original, **options)
    result = tune.run(environment, again)
    say(f"Next: ./inv train{environment.settings.flag}")
    finish(result, json)


@operator_task(
    help={
        **ENV,
        **JSON,
        **AGAIN,
        "on": "sagemaker (default), ec2 for an EC2 host, or here for this machine",
        "instances": "how many SageMaker instances train together",
        "find-lr": "make no model: try growing learning rates for a hundred steps, and suggest one",
        "stop": "stop the running SageMaker jobs",
    }
)
def train(
    c: Context,
    env: str | None = None,
    on: str = "sagemaker",
    instances: int = 0,
    again: bool = False,
    find_lr: bool = False,
    stop: bool = False,
    json: bool = False,
) -> None:
    """Train with the best hyperparameters, on SageMaker, an EC2 host or this machine, and register the model."""
    from pipeline import learning_rate, train

    environment = connect(env)
    if stop:
        return emit(train.stop(environment, "training"), json)
    if find_lr:
        return finish(learning_rate.run(environment, on=on, instances=instances or None, again=again), json)
    result = train.run(environment, on=on, instances=instances or None, again=again)
    result["comparison"] = train.compare(environment)
    if result["approved"]:
        say(f"Next: ./inv deploy{environment.settings.flag} --model {result['model_version']}")
    finish(result, json)


@operator_task(
    help={
        **ENV,
        **JSON,
        "approve": "approve this version, so that it can be deployed",
        "reject": "reject this version, so that it is not deployed",
        "because": "the reason, which the registry keeps with your name and the time",
    }
)
def models(
    c: Context,
    env: str | None = None,
    approve: int = 0,
    reject: int = 0,
    because: str | None = None,
    json: bool = False,
) -> None:
    """List the registered model versions, with approval, accuracy and lineage; or approve or reject one."""
    from pipeline import models

    if approve and reject:
        raise Refused("--approve and --reject: decide about one version at a time. Omit one of them.")
    if approve or reject:
        decided = models.decide(connect(env), approve or reject, approve=bool(approve), because=because or "")
        return finish(decided, json)
    refuse_unused(because=because, reason="only --approve and --reject have a reason")
    emit(models.show(connect(env)), json)


@operator_task(
    help={
        **ENV,
        **JSON,
        "version": "model version that it is about (default: the newest)",
        "compare": "two versions to compare, such as 3,7 (default: that version and the one before it)",
        "output": "where to write it (default: below .work/)",
        "open": "open it in the browser",
    }
)
def report(
    c: Context,
    env: str | None = None,
    version: int = 0,
    compare: str | None = None,
    output: str | None = None,
    open: bool = False,
    json: bool = False,
) -> None:
    """Write one HTML page about a model: data, search, training, mistakes, versions compared, cost, lineage."""
    from pipeline.report import page, published

    compared = published.parse_pair(compare) if compare else None
    environment = connect(env)
    path = Path(output) if output else WORK / "reports" / f"{environment.settings.environment}.html"
    inputs = page.write(environment, path, version or None, compared)
    if open:
        published.show(path)
    emit(published.summary(path, inputs), json)


@operator_task(
    help={
        **ENV,
        **JSON,
        "model": "version to deploy (default: the newest approved one that was trained on the current data)",
        "endpoint": "suffix of a second endpoint, such as multi",
        **OTHER_DATA,
    }
)
def deploy(
    c: Context,
    env: str | None = None,
    model: int = 0,
    endpoint: str | None = None,
    allow_other_data: bool = False,
    json: bool = False,
) -> None:
    """Deploy a registered model, check that the endpoint serves it, and make a prediction."""
    from pipeline import deploy

    environment = connect(env)
    result = deploy.run(environment, model or None, endpoint, allow_other_data=allow_other_data)
    options = f"{environment.settings.flag}{f' --endpoint {endpoint}' if endpoint else ''}"
    say(f"Next: ./inv predict{options} --image FILE, or --split test for its accuracy")
    finish(result, json)


@operator_task(help={**ENV, **JSON, **ENDPOINT, **OTHER_DATA})
def rollback(
    c: Context,
    env: str | None = None,
    endpoint: str | None = None,
    allow_other_data: bool = False,
    json: bool = False,
) -> None:
    """Deploy the model that served well before, with a deployment's checks. A second run goes further back."""
    from pipeline import rollback as stage

    environment = connect(env)
    result = stage.run(environment, endpoint, allow_other_data=allow_other_data)
    flag = environment.settings.flag
    say(
        f"Next: ./inv status{flag}; ./inv deploy{flag} --model N deploys another version, by default the newest approved"
    )
    finish(result, json)


@operator_task(
    help={
        **ENV,
        **JSON,
        **ENDPOINT,
        "image": "an image file",
        "url": "https URL of an image",
        "s3": "s3:// URI in the environment's bucket",
        "split": "send a whole split (train, valid, test) and print the accuracy",
        "limit": "send at most so many images of the split",
        "top-k": "how many classes to return",
    }
)
def predict(
    c: Context,
    env: str | None = None,
    image: str | None = None,
    url: str | None = None,
    s3: str | None = None,
    split: str | None = None,
    limit: int = 0,
    top_k: int = 0,
    endpoint: str | None = None,
    json: bool = False,
) -> None:
    """Predict the class of an image (by default one of the test split) through the function, as its callers do."""
    from pipeline import predict

    if split:
        refuse_unused(
            image=image, url=url, s3=s3, top_k=top_k, reason="--split sends the images of the data set"
        )
        return finish(predict.accuracy(connect(env), endpoint, split, limit or None), json)
    refuse_unused(limit=limit, reason="only --split sends several images")
    answer = predict.predict(connect(env), endpoint, image=image, url=url, s3_uri=s3, top_k=top_k or None)
    emit(answer, json)
