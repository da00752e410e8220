"""Training: started or resumed, its failure reported, its model registered once; the comparison of launchers."""

import pytest
from botocore.exceptions import ClientError

from ml.jobs import follow, job_inputs, registry, search, training
from ml.jobs.data.manifest import ImageEntry, Manifest
from ml.jobs.launchers import base, factory, sagemaker
from ops import s3
from ops.errors import OperatorError
from pipeline.report import comparison
from tests.environments import with_clients, with_settings

METRICS = [{"MetricName": "test:accuracy", "Value": 0.91234567}, {"MetricName": "test:loss", "Value": 0.25}]


@pytest.fixture
def jobs(account, dev, manifest, monkeypatch):
    """Training jobs that have ended, and the tuned hyperparameters they need. Call it to end a job."""
    best = search.SearchResult(
        tuning_job="search",
        model=dev.settings.model.model_dump(),
        data_hash=manifest.hash,
        dataset="sample",
        best_training_job="best",
        best_objective=0.9,
        hyperparameters={"learning-rate": "0.01"},
    )
    s3.put(dev, search.RESULT, best.model_dump_json().encode())
    ended: dict[str, dict] = {}

    class Sagemaker:
        def describe_training_job(self, TrainingJobName):
            if TrainingJobName not in ended:
                raise ClientError({"Error": {"Code": "ResourceNotFound"}}, "DescribeTrainingJob")
            return ended[TrainingJobName]

    def end(name: str, status: str = "Completed", **more) -> None:
        key = f"training/{name}/output/model.tar.gz"
        if status == "Completed":
            dev.client("s3").put_object(Bucket=dev.data_bucket, Key=key)
        ended[name] = {
            "TrainingJobName": name,
            "TrainingJobStatus": status,
            "FinalMetricDataList": METRICS,
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://{dev.data_bucket}/{key}"},
            "TrainingTimeInSeconds": 42,
            "BillableTimeInSeconds": 30,
            "ResourceConfig": {
                "InstanceType": "ml.m5.2xlarge",
                "InstanceCount": int(name.split("-")[4][:-1]),
            },
            **more,
        }

    monkeypatch.setattr(sagemaker, "submit", lambda env, training, name: end(name))
    monkeypatch.setattr(follow, "training_job", lambda env, name, *_: ended[name])
    registered = []

    def register(env, **given):
        registered.append(given)
        return registry.Version(len(registered), "arn", registry.APPROVED, None, given["lineage"])

    monkeypatch.setattr(registry, "register", register)
    end.ended, end.registered = ended, registered
    end.env = with_clients(dev, sagemaker=Sagemaker())
    return end


@pytest.fixture
def env(jobs):
    """Environment dev with the fake SageMaker."""
    return jobs.env


def train(env, on="sagemaker", **options):
    return training.run(env, factory.create(on, env), **options)


def test_a_model_is_trained_and_registered_with_its_lineage(jobs, env, manifest):
    result, ran = train(env, instances=2)
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
    assert given["run_stats"] == {
        "instance_type": "ml.m5.2xlarge",
        "spot": "false",
        "training_seconds": "42",
        "billable_seconds": "60",
    }
    assert all(isinstance(value, str) and len(value) <= 256 for value in lineage.values())


def test_a_finished_training_is_not_repeated(env):
    first, _ = train(env)
    again, ran = train(env)
    assert (again.training_job, ran) == (first.training_job, False)


def test_another_number_of_instances_is_another_job(env):
    assert train(env, instances=1)[0].training_job != train(env, instances=2)[0].training_job


def test_the_minimum_accuracy_does_not_change_the_job(env):
    first, _ = train(env)
    again, ran = train(with_settings(env, training={"minimum_accuracy": 0.99}))
    assert (again.training_job, ran) == (first.training_job, False)


def test_a_model_without_its_artifact_is_trained_again(env):
    first, _ = train(env)
    key = f"training/{first.training_job}/output/model.tar.gz"
    env.client("s3").delete_object(Bucket=env.data_bucket, Key=key)
    second, ran = train(env)
    assert ran
    assert second.training_job != first.training_job


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (
            "Failed",
            "AlgorithmError:\n  no images",
            r"ended as Failed: AlgorithmError: no images\. Its whole log",
        ),
        ("Stopped", "", r"ended as Stopped: it was stopped\. Its whole log"),
    ],
)
def test_a_failed_job_reports_reason_log_and_command(jobs, env, monkeypatch, status, reason, message):
    monkeypatch.setattr(
        sagemaker, "submit", lambda env, training, name: jobs(name, status, FailureReason=reason)
    )
    with pytest.raises(OperatorError, match=message) as failed:
        train(env)
    assert "/aws/sagemaker/TrainingJobs, streams image-classifier-dev-train-1x-" in str(failed.value)
    assert "run the same command again" in str(failed.value)
    assert jobs.registered == []


def test_without_tuning_the_command_is_named(account, dev):
    with pytest.raises(OperatorError, match=r"run \./inv tune --env dev"):
        train(dev)


@pytest.mark.parametrize(
    ("on", "instances", "message"),
    [
        ("sagemaker", 21, "--instances 21: give 1 to 20"),
        ("sagemaker", 0, "--instances 0: give 1 to 20"),
        ("ec2", 2, "--on ec2 trains on one host: omit --instances 2"),
        ("here", 2, "--on here trains on this machine only: omit --instances 2"),
        ("moon", 1, "--on moon: choose sagemaker, ec2 or here"),
    ],
)
def test_a_launcher_refuses_what_it_cannot_do_before_anything_is_created(jobs, env, on, instances, message):
    with pytest.raises(OperatorError, match=message):
        train(env, on=on, instances=instances)
    assert jobs.ended == {}


def test_all_launchers_get_the_same_training(jobs, env):
    """The same hyperparameters, program, data and lineage."""
    got: dict[str, base.Training] = {}

    class Launcher:
        def __init__(self, name):
            self.name = name

        def job_prefix(self, training):
            return f"prefix-{self.name}"

        def check(self, training):
            got[self.name] = training

        def fingerprint_inputs(self, training):
            return {"launcher": self.name}

        def describe(self, name):
            return None

        def run(self, training, name, on_status, on_line):
            return base.Outcome("s3://artifact", {"test:accuracy": 0.9}, 1, 2, {"instance_type": "t"})

    for name in ("one", "other"):
        result, _ = training.run(env, Launcher(name))
        assert result.training_job.startswith(f"prefix-{name}-")
    assert got["one"] == got["other"]
    assert got["one"].hyperparameters["learning-rate"] == "0.01"  # tuned
    assert "sagemaker_program" not in got["one"].hyperparameters
    first, second = (given["lineage"] for given in jobs.registered)
    assert {k for k in first if first[k] != second[k]} == {"training_job", "launcher"}


# ---- comparison ----


def version(number: int, **lineage: str) -> registry.Version:
    return registry.Version(number, f"arn/{number}", "Approved", None, lineage)


def test_launchers_are_compared_by_time_and_cost(account, dev, manifest, monkeypatch):
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

    versions = [
        trained(7, "here", "2 × x86_64", "30", "31"),
        trained(6, "ec2", "g5.xlarge", "60", "3600"),
        trained(5, "ec2", "x9.huge", "60", "120"),
        trained(4, "sagemaker", "ml.m5.2xlarge", "100", "100"),
        trained(3, "sagemaker", "ml.m5.2xlarge", "999", "999"),  # older, of the same kind
        version(2, data_hash="other", launcher="ec2", training_seconds="1", billable_seconds="1"),
        version(1, data_hash=manifest.hash),  # without run stats
    ]
    spot = dict(versions[1].lineage, spot="true", billable_seconds="360")
    versions.insert(1, version(8, **spot))
    monkeypatch.setattr(registry, "versions", lambda *_: versions)
    rows = comparison.rows(dev)
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
    assert cells[0][3] == "0"  # this machine is not billed
    assert all(len(cell) == len(comparison.COLUMNS) for cell in cells)


def training_of(env, manifest, tuned: dict, fixed: dict | None = None) -> base.Training:
    """Return a training with the result of a search. tuned, fixed: hyperparameters of its best trial, and of all."""
    result = search.SearchResult(
        tuning_job="search",
        model={},
        data_hash="",
        dataset="sample",
        best_training_job="",
        best_objective=0,
        hyperparameters=tuned,
        fixed=fixed or {},
    )
    return base.Training(env, manifest, job_inputs.Source("s3://b/k", ""), result, 1)


@pytest.mark.parametrize(
    ("rare", "recipe", "tuned", "warned"),
    [
        (5, {}, {}, True),
        (30, {}, {}, False),  # 10:1
        (5, {"class_balance": "weights"}, {}, False),
        (5, {}, {"class-balance": "sampling"}, False),  # by the search
    ],
)
def test_unbalanced_classes_are_reported_unless_the_recipe_balances_them(dev, rare, recipe, tuned, warned):
    keys = [
        f"train/{name}/{n}.png" for name, count in (("common", 300), ("rare", rare)) for n in range(count)
    ]
    unbalanced = Manifest("sample", {key: ImageEntry("0", 9) for key in keys})
    found = training.imbalance(training_of(with_settings(dev, recipe=recipe), unbalanced, tuned))
    assert bool(found) == warned
    if warned:
        assert "class rare has 5 training images and class common has 300" in found
        assert 'class_balance = "weights" or "sampling" under [recipe] in environments/dev.toml' in found


@pytest.mark.parametrize(
    ("recipe", "tuned", "warned"),
    [
        ({}, {}, ""),
        (
            {"label_smoothing": 0.2, "mixup": 0.4},
            {},
            "mixup was 0.0 and is 0.4, label-smoothing was 0.0 and is 0.2.",
        ),
        ({"label_smoothing": 0.2}, {"label-smoothing": "0.05"}, ""),  # the search decides it
    ],
)
def test_a_recipe_that_the_search_did_not_have_is_reported(dev, manifest, recipe, tuned, warned):
    before = job_inputs.hyperparameters(dev.settings, epochs=2, manifest=manifest)
    fixed = {name: value for name, value in before.items() if name not in tuned}
    found = training.changed_recipe(training_of(with_settings(dev, recipe=recipe), manifest, tuned, fixed))
    assert (warned in found) if warned else found == ""


def test_the_warning_reaches_the_command(env, monkeypatch):
    monkeypatch.setattr(training, "MAX_IMBALANCE", 0.5)
    heard = []
    train(env, on_warning=heard.append)
    assert len(heard) == 1
