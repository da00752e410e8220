"""What the report reads from AWS: documents that are there, missing or damaged."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from ml.jobs import registry, search
from ops.errors import OperatorError, Refused
from pipeline import stage_times
from pipeline.report import collect, page
from pipeline.report.sections import overview
from tests.conftest import BUCKET
from tests.environments import with_clients
from tests.pipeline.report import report_kit as kit

JOBS = {
    "HyperParameters": {"epochs": "3", "sagemaker_program": "train.py", "_tuning": "x"},
    "AlgorithmSpecification": {"TrainingImage": "registry/pytorch-training:2"},
}


class FakeSageMaker:
    """SageMaker with training jobs of any name, and no tuning job."""

    def describe_training_job(self, **request):
        return JOBS

    def describe_hyper_parameter_tuning_job(self, **request):
        start = datetime(2026, 12, 1, tzinfo=timezone.utc)
        return {"CreationTime": start, "HyperParameterTuningEndTime": start.replace(minute=5)}


@pytest.fixture
def env(account, dev, manifest, monkeypatch):
    """An environment with data, versions 1 to 3, and no endpoint."""
    versions = [kit.version(number, manifest, 0.8) for number in (3, 2, 1)]
    monkeypatch.setattr(registry, "versions", lambda _: versions)
    return with_clients(dev, sagemaker=FakeSageMaker())


def put(env, key: str, content: object) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    env.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)


def documents(env, number: int) -> str:
    """Store evaluation and history of a version. Returns the key prefix."""
    prefix = f"training/image-classifier-dev-train-{number:07}"
    evaluation = kit.evaluation(["0", "1"]).model_dump(by_alias=True)
    put(env, f"{prefix}/evaluation.json", evaluation)
    put(env, f"{prefix}/history.json", kit.history(4))
    return prefix


def test_the_newest_version_and_the_one_before_it_are_shown(env):
    documents(env, 3)
    found = collect.collect(env)
    assert found.chosen is found.models[0] and found.chosen.version.number == 3
    assert [model.version.number for model in found.compared or ()] == [2, 3]
    assert found.chosen.evaluation is not None and found.chosen.evaluation.classes == ["0", "1"]
    assert len(found.chosen.history) == 4
    assert found.chosen.hyperparameters == {"epochs": "3"}
    assert found.chosen.image == "registry/pytorch-training:2"
    assert found.models[1].evaluation is None and found.models[1].remarks == []
    assert "test accuracy" in page.render(found, (overview,))


def test_versions_can_be_named(env):
    found = collect.collect(env, 2, (3, 1))
    assert found.chosen is not None and found.chosen.version.number == 2
    assert [model.version.number for model in found.compared or ()] == [1, 3]
    with pytest.raises(Refused, match="There is no model version 9: choose one of 1, 2, 3"):
        collect.collect(env, 9)
    with pytest.raises(Refused, match="There is no model version 7"):
        collect.collect(env, None, (7, 1))


def test_the_history_may_be_a_member_of_the_metrics(env):
    prefix = documents(env, 3)
    put(env, f"{prefix}/history.json", {"test:loss": 1, "history": kit.history(2)})
    found = collect.collect(env)
    assert found.chosen is not None and len(found.chosen.history) == 2


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"split": "test"}'])
def test_a_damaged_evaluation_is_a_remark_with_the_command(env, content):
    prefix = documents(env, 3)
    put(env, f"{prefix}/evaluation.json", content)
    found = collect.collect(env)
    assert found.chosen is not None and found.chosen.evaluation is None
    (remark,) = found.chosen.remarks
    assert "evaluation.json is damaged" in remark and "./inv train --env dev --again" in remark
    assert "is damaged" in page.render(found, (overview,))


def test_problems_of_the_data_are_read_or_the_command_is_named(env):
    assert "./inv data --env dev" in collect.collect(env).no_problems
    pair = {"first": "train/0/0.png", "second": "test/0/0.png", "distance": 1}
    put(env, "datasets/sample/problems.json", {"near_duplicates": [pair], "class_counts": {}, "unknown": 1})
    found = collect.collect(env)
    assert found.no_problems == "" and found.problems is not None
    assert found.problems.near_duplicates[0].second == "test/0/0.png"
    put(env, "datasets/sample/problems.json", b"[")
    assert "problems.json is damaged" in collect.collect(env).no_problems


def test_the_search_has_trials_times_and_costs(env):
    model = env.settings.model.model_dump()
    result = {
        **kit.search().result.model_dump(),
        "data_hash": collect.collect(env).manifest.hash,
        "model": model,
    }
    features = {
        "job": "features-1",
        "seconds": 5,
        "computing_seconds": 4,
        "usd": 0.5,
        "reused": False,
        "saved_seconds": 90,
        "saved_usd": 9,
    }
    trial = {
        "name": "one",
        "hyperparameters": {"a": "1"},
        "objective": 0.5,
        "status": "Completed",
        "seconds": 3600,
        "billable_seconds": 3600,
        "usd": 0.25,
        "start": "2026-12-01T00:00:00+00:00",
        "end": None,
        "failure": "",
        "retry_of": "",
    }
    put(env, search.RESULT, {**result, "features": features, "trials": [trial]})
    found = collect.collect(env).search
    assert found is not None and found.start is not None and found.end is not None
    assert (found.end - found.start).total_seconds() == 300
    assert found.usd == 0.75
    assert [(t.name, t.elapsed, t.start) for t in found.trials] == [
        ("one", 3600, datetime(2026, 12, 1, tzinfo=timezone.utc))
    ]


def test_without_a_search_its_reason_is_kept(env):
    found = collect.collect(env)
    assert found.search is None and "run ./inv tune --env dev" in found.no_search


def test_recorded_stage_times_are_read(env):
    put(env, stage_times.KEY, {"deploy": {"seconds": 12.5, "ended": "2026-12-01T00:00:00Z"}})
    assert collect.collect(env).times["deploy"].seconds == 12.5


def test_without_versions_the_page_has_words(env, monkeypatch):
    monkeypatch.setattr(registry, "versions", lambda _: [])
    found = collect.collect(env)
    assert found.chosen is None and found.compared is None
    assert "No model is registered yet" in page.render(found, (overview,))
    with pytest.raises(Refused, match="No model is registered yet"):
        collect.collect(env, 1)


def test_without_a_foundation_the_command_is_named(moto_aws, dev):
    with pytest.raises(OperatorError, match=r"run \./inv apply --stack foundation"):
        collect.collect(dev)


def test_the_page_is_written_with_its_folders(env, tmp_path):
    path = tmp_path / "new" / "report.html"
    page.write(env, path, 3)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
