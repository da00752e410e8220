"""MLflow tracking of finished trainings: what a run has, that there is one, and that nothing of it fails a training."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime
from typing import get_args

import pytest

from ml.jobs import registry, tracking
from ml.jobs.training import Result
from ops import child_environment

MODEL = registry.Version(
    3,
    "arn/3",
    "Approved",
    datetime(2026, 1, 1),
    {"data_hash": "d" * 64, "git_commit": "abc", "test_accuracy": "0.75"},
)
RESULT = Result(
    "job-1",
    MODEL,
    {"epochs": "2", "seed": "0", "empty": ""},
    {"test:accuracy": 0.75, "train:loss": 0.5},
    1.0,
    2.0,
)


@pytest.fixture
def store(tmp_path, monkeypatch, account, dev):
    """A store of MLflow with a training's files in the bucket. Returns its variables."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database takes 10 s to create
    for name in tracking._DEFAULTS:
        monkeypatch.setenv(name, "1" if name.endswith("RETRIES") else tracking._DEFAULTS[name])
    for name, body in {
        "evaluation.json": b'{"accuracy": 0.75}',
        "history.json": b'[{"train:loss": 1.0}, {"train:loss": 0.5}]',
        "model-card.md": b"# Card",
    }.items():
        dev.client("s3").put_object(Bucket=dev.data_bucket, Key=f"training/job-1/{name}", Body=body)
    return (tmp_path / "runs").as_uri()


def client(store):
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=store)


def runs(store, dev):
    experiment = client(store).get_experiment_by_name(dev.settings.prefix)
    return client(store).search_runs([experiment.experiment_id])


def test_a_run_has_parameters_metrics_by_epoch_tags_and_files(store, dev):
    assert "MLflow run" in tracking.track(dev, RESULT, store)
    (run,) = runs(store, dev)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"epochs": "2", "seed": "0"}
    history = client(store).get_metric_history(run.info.run_id, "train/loss")
    assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5)]
    assert run.data.metrics["test/accuracy"] == 0.75
    tags = {
        name: run.data.tags.get(name) for name in ("data_hash", "git_commit", "training_job", "model_version")
    }
    assert tags == {"data_hash": "d" * 64, "git_commit": "abc", "training_job": "job-1", "model_version": "3"}
    assert "test_accuracy" not in run.data.tags
    files = {file.path for file in client(store).list_artifacts(run.info.run_id)}
    assert files == {"evaluation.json", "history.json", "model-card.md"}


def test_a_training_has_one_run(store, dev):
    tracking.track(dev, RESULT, store)
    assert "has this training already" in tracking.track(dev, RESULT, store)
    tracking.track(dev, replace(RESULT, training_job="job-2"), store)
    assert len(runs(store, dev)) == 2


def test_a_server_that_does_not_answer_is_a_sentence_without_the_password(store, dev):
    uri = "http://me:secret@127.0.0.1:9"
    message = tracking.track(dev, RESULT, uri)
    assert message.startswith("MLflow at http://127.0.0.1:9 has no run of this training: ")
    assert "refused" in message and "secret" not in message


def test_a_run_that_fails_is_marked_and_logged_again(store, dev, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(tracking.s3, "get", lambda *_: 1 / 0)
        assert "division by zero" in tracking.track(dev, RESULT, store)
    assert "MLflow run" in tracking.track(dev, RESULT, store)
    assert sorted(run.info.status for run in runs(store, dev)) == ["FAILED", "FINISHED"]


def test_without_mlflow_the_sentence_says_how_to_install_it(store, dev, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    assert "install it with .venv/bin/pip install mlflow-skinny" in tracking.track(dev, RESULT, store)


def test_without_the_variable_nothing_is_imported(dev, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    assert tracking.track(dev, RESULT, "") == ""


@pytest.mark.parametrize("purpose", get_args(child_environment.Purpose))
def test_no_child_process_sees_the_server(purpose):
    assert child_environment.passed(purpose, {tracking.VARIABLE: "http://me:secret@server"}) == {}
