"""The training job: taken up or begun, its failure explained, its artifact registered once."""

import pytest
from botocore.exceptions import ClientError

from ml.jobs import follow, registry
from ml.jobs import search as tune
from ml.jobs import training as train
from ml.jobs.launchers import base, sagemaker
from ops import outputs as handover
from ops.aws import client
from ops.errors import OperatorError
from pipeline.report import comparison

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
            "TrainingJobName": name,
            "TrainingJobStatus": status,
            "FinalMetricDataList": METRICS,
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://{foundation.bucket}/{key}"},
            "TrainingTimeInSeconds": 42,
            "BillableTimeInSeconds": 30,
            "ResourceConfig": {
                "InstanceType": "ml.m5.2xlarge",
                "InstanceCount": int(name.split("-")[4][:-1]),
            },
            **more,
        }

    monkeypatch.setattr(
        sagemaker,
        "client",
        lambda service, region: Sagemaker() if service == "sagemaker" else client(service, region),
    )
    monkeypatch.setattr(sagemaker, "create", lambda training, name: end(name))
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
    assert result.training_job.startswith("image-classifier-dev-train-2x-")
    assert result.metrics == {"test:accuracy": 0.912346, "test:loss": 0.25}
    assert (result.seconds, result.billable_seconds) == (42, 60)  # two instances
    (given,) = jobs.registered
    assert given["artifact"].endswith(f"{result.training_job}/output/model.tar.gz")
    lineage = given["lineage"]
    assert lineage["data_hash"] == manifest.hash
    assert lineage["tuning_job"] == "search"
    assert lineage["training_job"] == result.training_job
    assert (lineage["instance_count"], lineage["launcher"]) == ("2", "sagemaker")
    assert given["took"] == {
        "instance_type": "ml.m5.2xlarge",
        "spot": "false",
        "training_seconds": "42",
        "billable_seconds": "60",
    }
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
    monkeypatch.setattr(sagemaker, "create", lambda training, name: jobs(name, status, FailureReason=reason))
    with pytest.raises(OperatorError, match=told) as failed:
        train.run(dev)
    assert "/aws/sagemaker/TrainingJobs, streams image-classifier-dev-train-1x-" in str(failed.value)
    assert "run ./inv train --env dev again" in str(failed.value)
    assert jobs.registered == []


def test_without_tuning_the_task_is_named(account, dev):
    with pytest.raises(OperatorError, match=r"run \./inv tune --env dev"):
        train.run(dev)


@pytest.mark.parametrize(
    ("on", "instances", "told"),
    [
        ("sagemaker", 21, "--instances 21: give 1 to 20"),
        ("sagemaker", 0, "--instances 0: give 1 to 20"),
        ("ec2", 2, "--on ec2 trains on one host: leave --instances 2 out"),
        ("here", 2, "--on here trains on one machine, this one: leave --instances 2 out"),
        ("moon", 1, "--on moon: choose sagemaker, ec2 or here"),
    ],
)
def test_what_a_launcher_cannot_do_is_refused_first(jobs, dev, on, instances, told):
    with pytest.raises(OperatorError, match=told):
        train.run(dev, on=on, instances=instances)
    assert jobs.there == {}


def test_all_launchers_train_the_same(jobs, dev, foundation, manifest, monkeypatch):
    """The same hyperparameters, program, data and lineage reach each of them."""
    got: dict[str, base.Training] = {}

    class Launcher:
        def __init__(self, name):
            self.name = name

        def stem(self, training):
            return f"stem-{self.name}"

        def check(self, training):
            got[self.name] = training

        def parts(self, training):
            return {"launcher": self.name}

        def describe(self, name):
            return None

        def run(self, training, name, on_status, on_line):
            return base.Outcome("s3://artifact", {"test:accuracy": 0.9}, 1, 2, {"instance_type": "t"})

    for name in ("one", "other"):
        result, _ = train.run(dev, launcher=Launcher(name))
        assert result.training_job.startswith(f"stem-{name}-")
    assert got["one"] == got["other"]
    assert got["one"].hyperparameters["learning-rate"] == "0.01"  # tuned
    assert "sagemaker_program" not in got["one"].hyperparameters
    first, second = (given["lineage"] for given in jobs.registered)
    assert {k for k in first if first[k] != second[k]} == {"training_job", "launcher"}


# ---- comparison ----


def version(number: int, **told: str) -> registry.Version:
    return registry.Version(number, f"arn/{number}", "Approved", None, told)


def test_ways_to_train_are_compared_by_time_and_money(account, dev, foundation, manifest, monkeypatch):
    def trained(number, launcher, kind, training, billable, **more):
        return version(
            number,
            data_hash=manifest.hash,
            launcher=launcher,
            instance_type=kind,
            instance_count="1",
            spot="false",
            training_seconds=training,
            billable_seconds=billable,
            test_accuracy="0.9",
            **more,
        )

    there = [
        trained(7, "here", "2 × x86_64", "30", "31"),
        trained(6, "ec2", "g5.xlarge", "60", "3600"),
        trained(5, "ec2", "x9.huge", "60", "120"),
        trained(4, "sagemaker", "ml.m5.2xlarge", "100", "100"),
        trained(3, "sagemaker", "ml.m5.2xlarge", "999", "999"),  # an older one of the same kind
        version(2, data_hash="other", launcher="ec2", training_seconds="1", billable_seconds="1"),
        version(1, data_hash=manifest.hash),  # of before all this was kept
    ]
    spot = dict(there[1].lineage, spot="true", billable_seconds="360")
    there.insert(1, version(8, **spot))
    monkeypatch.setattr(registry, "versions", lambda *_: there)
    rows = comparison.rows(dev, foundation)
    assert [(row.on, row.machines, row.version) for row in rows] == [
        ("here", "2 × x86_64", 7),
        ("sagemaker", "1 × ml.m5.2xlarge", 4),
        ("ec2", "1 × g5.xlarge Spot", 8),
        ("ec2", "1 × g5.xlarge", 6),
        ("ec2", "1 × x9.huge", 5),
    ]
    assert [row.usd for row in rows] == [
        0.0,
        pytest.approx(100 * 0.461 / 3600, abs=1e-6),
        0.1006,
        1.006,
        None,
    ]
    cells = comparison.cells(rows)
    assert [cell[4] for cell in cells] == ["0.0000", "0.0128", "< 0.1006", "1.0060", "price not listed"]
    assert cells[0][3] == "0"  # nobody bills for one's own machine
    assert all(len(cell) == len(comparison.COLUMNS) for cell in cells)
