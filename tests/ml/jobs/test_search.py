"""The search: taken up or begun, followed to its end, its trials in order, its best handed over."""

from datetime import datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from ml.jobs import search as tune
from ops import outputs as handover
from ops.aws import client
from ops.errors import OperatorError

START = datetime(2026, 1, 1)


def trial(name: str, objective: float | None, status: str = "Completed") -> dict:
    summary = {
        "TrainingJobName": name,
        "TrainingJobStatus": status,
        "TunedHyperParameters": {"learning-rate": "0.01"},
        "TrainingStartTime": START,
        "TrainingEndTime": START + timedelta(seconds=42),
    }
    if objective is not None:
        metric = {"MetricName": "validation:accuracy", "Value": objective}
        summary["FinalHyperParameterTuningJobObjectiveMetric"] = metric
    return summary


class Sagemaker:
    """Tuning jobs that go from one status to the next at every look."""

    def __init__(self):
        self.jobs: dict[str, list[str]] = {}
        self.trials = [trial("t1", 0.8), trial("t2", 0.9)]
        self.reason = None

    def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName):
        if HyperParameterTuningJobName not in self.jobs:
            error = {"Code": "ValidationException", "Message": "Could not find tuning job"}
            raise ClientError({"Error": error}, "DescribeHyperParameterTuningJob")
        statuses = self.jobs[HyperParameterTuningJobName]
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        job = {
            "HyperParameterTuningJobStatus": status,
            "TrainingJobStatusCounters": {
                "Completed": len(self.trials),
                "InProgress": 1,
                "NonRetryableError": 1,
            },
        }
        scored = [t for t in self.trials if "FinalHyperParameterTuningJobObjectiveMetric" in t]
        if status == "Completed" and scored:
            job["BestTrainingJob"] = scored[-1]
        return job | ({"FailureReason": self.reason} if self.reason else {})

    def get_paginator(self, operation):
        assert operation == "list_training_jobs_for_hyper_parameter_tuning_job"
        return self

    def paginate(self, HyperParameterTuningJobName):
        return [{"TrainingJobSummaries": [t]} for t in self.trials]


@pytest.fixture
def sagemaker(account, monkeypatch):
    fake = Sagemaker()
    monkeypatch.setattr(
        tune, "client", lambda service, region: fake if service == "sagemaker" else client(service, region)
    )
    monkeypatch.setattr(
        tune, "_create", lambda *arguments: fake.jobs.update({arguments[-1]: ["InProgress", "Completed"]})
    )
    monkeypatch.setattr(tune, "pauses", lambda: iter([None] * 10))
    return fake


def test_a_search_is_begun_followed_and_handed_over(sagemaker, dev, foundation):
    seen = []
    result, trials, ran = tune.run(dev, on_progress=lambda *progress: seen.append(progress))
    assert ran
    assert seen == [("InProgress", 3, 2), ("Completed", 3, 2)]
    assert (result.best_training_job, result.best_objective) == ("t2", 0.9)
    assert [t.name for t in trials] == ["t2", "t1"]
    assert tune.latest(dev, foundation) == result
    assert handover.read(dev, foundation.bucket, "tuning")["tuning_job"] == result.tuning_job


def test_a_finished_search_is_not_repeated_until_asked(sagemaker, dev):
    first, _, _ = tune.run(dev)
    same, _, ran = tune.run(dev)
    assert (same, ran) == (first, False)
    anew, _, ran = tune.run(dev, again=True)
    assert ran
    assert anew.tuning_job != first.tuning_job
    assert tune.run(dev)[0] == anew  # and the newer one counts from then on


def test_a_search_under_way_is_taken_up(sagemaker, dev, monkeypatch):
    name = tune.run(dev)[0].tuning_job
    sagemaker.jobs[name] = ["InProgress", "InProgress", "Completed"]
    monkeypatch.setattr(tune, "_create", lambda *_: pytest.fail("a second search was begun"))
    result, _, ran = tune.run(dev)
    assert (result.tuning_job, ran) == (name, True)


@pytest.mark.parametrize("change", [{"epochs": 99}, {"seed": 7}, {"max_jobs": 3}])
def test_other_settings_are_another_search(sagemaker, dev, change):
    first, _, _ = tune.run(dev)
    other, _, ran = tune.run(dev.model_copy(update={"tuning": dev.tuning.model_copy(update=change)}))
    assert ran
    assert other.tuning_job != first.tuning_job


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        ("Failed", "AlgorithmError: exit code 1.", r"ended as Failed: AlgorithmError: exit code 1\."),
        ("Stopped", None, "ended as Stopped: it was stopped"),
    ],
)
def test_a_search_that_ends_otherwise_names_reason_log_and_task(
    sagemaker, dev, monkeypatch, status, reason, told
):
    sagemaker.reason = reason
    monkeypatch.setattr(
        tune, "_create", lambda *arguments: sagemaker.jobs.update({arguments[-1]: ["InProgress", status]})
    )
    with pytest.raises(OperatorError, match=told) as failed:
        tune.run(dev)
    assert "streams t2/…" in str(failed.value)
    assert "run ./inv tune --env dev to try again" in str(failed.value)


def test_a_search_without_any_objective_is_told(sagemaker, dev):
    sagemaker.trials = [trial("t1", None, "Failed")]
    with pytest.raises(OperatorError, match=r"No trial of .* reported validation:accuracy"):
        tune.run(dev)


def test_trials_are_best_first_and_those_without_objective_last(sagemaker, dev):
    sagemaker.trials = [trial("a", None, "Failed"), trial("b", 0.0), trial("c", 0.7)]
    found = tune.trials(dev, "search")
    assert [(t.name, t.objective, t.elapsed) for t in found] == [
        ("c", 0.7, 42.0),
        ("b", 0.0, 42.0),
        ("a", None, 42.0),
    ]


def test_a_trial_under_way_has_no_end():
    summary = trial("t1", None, "InProgress")
    del summary["TrainingEndTime"]
    assert tune._trial(summary).elapsed is None


def test_without_a_search_the_task_is_named(account, dev, foundation):
    with pytest.raises(OperatorError, match=r"no tuned hyperparameters yet: run \./inv tune --env dev\."):
        tune.latest(dev, foundation)


def test_a_search_on_other_data_is_refused(sagemaker, account, dev, foundation, manifest):
    tune.run(dev)
    files = dict(list(manifest.files.items())[1:])
    account.upload(type(manifest)(manifest.dataset, files))
    with pytest.raises(OperatorError, match=r"were tuned on other data: run \./inv tune --env dev"):
        tune.latest(dev, foundation)


def test_a_search_for_another_network_is_refused(sagemaker, dev, foundation):
    tune.run(dev)
    other = dev.model_copy(update={"model": dev.model.model_copy(update={"architecture": "resnet18"})})
    with pytest.raises(
        OperatorError, match=r"tuned for architecture small_cnn, .*not for architecture resnet18"
    ):
        tune.latest(other, foundation)


def test_a_search_of_another_version_is_refused(account, dev, foundation):
    handover.write(dev, foundation, "tuning", {"job": "x"})
    with pytest.raises(OperatorError, match=r"another version of this repository: run \./inv tune"):
        tune.latest(dev, foundation)
