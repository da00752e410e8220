"""The training job: taken up or begun, its failure explained, its artifact registered once."""

import pytest
from botocore.exceptions import ClientError

from ml.jobs import follow, handover, registry, train, tune
from ops.aws import client
from ops.errors import OperatorError

METRICS = [{"MetricName": "test:accuracy", "Value": 0.91234567}, {"MetricName": "test:loss", "Value": 0.25}]


@pytest.fixture
def jobs(account, dev, foundation, manifest, monkeypatch):
    """Training jobs by name, each ended as it was told; and the tuned hyperparameters they need."""
    best = tune.Result(
        "search", dev.model.model_dump(), manifest.hash, "sample", "best", 0.9, {"learning-rate": "0.01"}
    )
    handover.write(dev, foundation, tune.HANDOVER, vars(best))
    there: dict[str, dict] = {}

    class Sagemaker:
        def describe_training_job(self, TrainingJobName):
            if TrainingJobName not in there:
                raise ClientError({"Error": {"Code": "ResourceNotFound"}}, "DescribeTrainingJob")
            return there[TrainingJobName]

    def end(name: str, status: str = "Completed", **more) -> None:
        key = f"training/{name}/output/model.tar.gz"
        if status == "Completed":
            client("s3", dev.region).put_object(Bucket=foundation.bucket, Key=key)
        there[name] = {
            "TrainingJobName": name, "TrainingJobStatus": status, "FinalMetricDataList": METRICS,
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://{foundation.bucket}/{key}"},
            "TrainingTimeInSeconds": 42, **more,
        }  # fmt: skip

    monkeypatch.setattr(
        train,
        "client",
        lambda service, region: Sagemaker() if service == "sagemaker" else client(service, region),
    )
    monkeypatch.setattr(train, "_create", lambda *arguments: end(arguments[-2]))
    monkeypatch.setattr(follow, "training_job", lambda name, *_: there[name])
    registered = []

    def register(settings, foundation, **given):
        registered.append(given)
        return registry.Version(len(registered), "arn", registry.APPROVED, None, given["lineage"])

    monkeypatch.setattr(registry, "register", register)
    end.there, end.registered = there, registered
    return end


def test_a_model_is_trained_and_registered_with_its_lineage(jobs, dev, manifest):
    result, ran = train.run(dev, instances=2)
    assert ran
    assert result.metrics == {"test:accuracy": 0.912346, "test:loss": 0.25}
    assert result.seconds == 42
    (given,) = jobs.registered
    assert given["artifact"].endswith(f"{result.training_job}/output/model.tar.gz")
    lineage = given["lineage"]
    assert lineage["data_hash"] == manifest.hash
    assert lineage["tuning_job"] == "search"
    assert lineage["training_job"] == result.training_job
    assert lineage["instance_count"] == "2"
    assert all(isinstance(value, str) and len(value) <= 256 for value in lineage.values())


def test_a_finished_training_is_not_repeated(jobs, dev):
    first, _ = train.run(dev)
    again, ran = train.run(dev)
    assert (again.training_job, ran) == (first.training_job, False)


def test_other_instances_are_another_job(jobs, dev):
    assert train.run(dev, instances=1)[0].training_job != train.run(dev, instances=2)[0].training_job


def test_the_wanted_accuracy_is_no_part_of_the_training(jobs, dev):
    first, _ = train.run(dev)
    stricter = dev.training.model_copy(update={"minimum_accuracy": 0.99})
    again, ran = train.run(dev.model_copy(update={"training": stricter}))
    assert (again.training_job, ran) == (first.training_job, False)


def test_a_model_whose_artifact_is_gone_is_trained_anew(jobs, dev, foundation):
    first, _ = train.run(dev)
    key = f"training/{first.training_job}/output/model.tar.gz"
    client("s3", dev.region).delete_object(Bucket=foundation.bucket, Key=key)
    second, ran = train.run(dev)
    assert ran
    assert second.training_job != first.training_job


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        (
            "Failed",
            "AlgorithmError:\n  exit code 1",
            "ended as Failed: AlgorithmError: exit code 1 Its whole log",
        ),
        ("Stopped", "", "ended as Stopped: it was stopped"),
    ],
)
def test_a_failure_names_reason_log_and_task(jobs, dev, monkeypatch, status, reason, told):
    monkeypatch.setattr(train, "_create", lambda *a: jobs(a[-2], status, FailureReason=reason))
    with pytest.raises(OperatorError, match=told) as failed:
        train.run(dev)
    assert "/aws/sagemaker/TrainingJobs, streams image-classifier-dev-train-1x-" in str(failed.value)
    assert "run ./inv train --env dev again" in str(failed.value)
    assert jobs.registered == []


def test_without_tuning_the_task_is_named(account, dev):
    with pytest.raises(OperatorError, match=r"run \./inv tune --env dev"):
        train.run(dev)
