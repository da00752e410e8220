"""What decides a search, the features that its trials share, warm start, and the stored result."""

from dataclasses import replace
from typing import get_args

import pytest

from ml.jobs import search, tuning_request, warm_start, weights
from ml.jobs.features import Features
from ops import s3
from ops.facts.prices import hourly
from ops.settings.recipe import RecipeSettings
from ops.settings.tuning import WarmStart
from tests.environments import with_settings
from tests.ml.jobs.search_kit import failed, trial

# ---- what decides a search ----


@pytest.mark.parametrize("name", RecipeSettings.model_fields)
def test_another_recipe_is_another_search(env, name):
    first = search.run(env)[0].tuning_job
    assert search.run(with_settings(env))[0].tuning_job == first
    choices = get_args(RecipeSettings.model_fields[name].annotation)
    default = RecipeSettings.model_fields[name].default
    other = next(c for c in choices if c != default) if choices else default + 1
    assert search.run(with_settings(env, recipe={name: other}))[0].tuning_job != first


@pytest.mark.parametrize("change", [{"head": "original"}, {"mode": "fine-tuning"}, {"image_size": 96}])
def test_another_head_mode_or_size_is_another_search(env, change, monkeypatch):
    monkeypatch.setattr(weights, "upload", lambda env: "s3://bucket/weights/")
    env = with_settings(env, model={"architecture": "resnet18"})
    assert search.run(with_settings(env, model=change))[0].tuning_job != search.run(env)[0].tuning_job


def test_other_weights_are_another_search(env, monkeypatch):
    monkeypatch.setattr(weights, "upload", lambda env: "s3://bucket/weights/")
    env = with_settings(env, model={"architecture": "resnet18", "mode": "fine-tuning"})
    given = {"weights": "mine.pth", "weights_sha256": "0" * 64}
    assert search.run(with_settings(env, model=given))[0].tuning_job != search.run(env)[0].tuning_job


# ---- the stored result ----


def test_the_result_has_every_trial_with_its_cost(sagemaker, env):
    sagemaker.trials = [failed("t1"), trial("t2", 0.9)]
    sagemaker.billed = {"t2": 36}
    result, found, _ = search.run(env)
    stored = {t.name: t for t in search.latest(env).trials}
    assert list(stored) == [t.name for t in found] == ["t2", "t1", "t1-retry"]
    assert (stored["t2"].objective, stored["t2"].seconds, stored["t2"].billable_seconds) == (0.9, 42, 36)
    assert stored["t2"].usd == pytest.approx(36 / 3600 * hourly("ml.m5.2xlarge"), rel=1e-3)
    assert stored["t2"].start == "2026-01-01T00:00:00" and stored["t2"].end == "2026-01-01T00:00:42"
    assert (stored["t1"].status, stored["t1"].usd) == ("Failed", None)
    assert stored["t1"].failure == "AlgorithmError: killed, exit code: 137"
    assert stored["t1-retry"].retry_of == "t1"
    assert (result.strategy, result.parents, result.features) == ("Bayesian", [], None)


# ---- features that are computed once ----


@pytest.fixture
def probe(env, monkeypatch):
    """Environment dev with a frozen backbone, and a features job. Its attribute `job` is None until it has run."""
    monkeypatch.setattr(weights, "upload", lambda env: str(s3.in_data_bucket(env, "weights/resnet18/")))

    class Job:
        uri, ran, known = "s3://bucket/features/abc/", 0, None

        def __init__(self, env, manifest):
            pass

        def find(self):
            return Job.known and replace(Job.known, reused=True)

        def ensure(self, source, *, on_status):
            if Job.known is None:
                on_status("Training")
                Job.ran += 1
                Job.known = Features(self.uri, "features-job", 100, 80, 100, 0.5, reused=False)
                return Job.known
            return self.find()

    monkeypatch.setattr(search, "FeaturesJob", Job)
    made = with_settings(env, model={"architecture": "resnet18", "mode": "linear-probe"})
    made.job = Job
    return made


def test_a_search_computes_features_once_before_its_trials(probe, monkeypatch):
    created = []
    start = tuning_request.create
    monkeypatch.setattr(
        tuning_request, "create", lambda inputs, name: created.append(inputs) or start(inputs, name)
    )
    seen = []
    result = search.run(probe, on_features=seen.append)[0]
    assert (created[0].features, seen, probe.job.ran) == ("s3://bucket/features/abc/", ["Training"], 1)
    found = result.features
    assert (found.job, found.seconds, found.reused) == ("features-job", 100, False)
    assert (found.saved_seconds, found.saved_usd) == (60, 0.3)  # in two trials, less the job itself


def test_the_next_search_on_the_same_data_reuses_them(probe):
    search.run(probe)
    second = search.run(with_settings(probe, tuning={"seed": 2}))[0].features
    assert probe.job.ran == 1
    assert (second.reused, second.saved_seconds, second.saved_usd) == (True, 160, 0.8)


def test_a_repeated_command_reports_what_the_search_had_saved(probe):
    first = search.run(probe)[0]
    same, _, ran = search.run(probe)
    assert (same.features, ran) == (first.features, False)


def test_trials_that_differ_in_the_preprocessing_share_no_features(probe):
    tuning = {"categorical": {"augmentation": ["none", "crop-flip"]}, "continuous": {}, "integer": {}}
    assert search.run(with_settings(probe, tuning=tuning))[0].features is None
    assert probe.job.ran == 0


def test_without_a_frozen_backbone_there_is_no_features_job(env, probe):
    assert search.run(env)[0].features is None
    assert probe.job.ran == 0


# ---- warm start ----


def test_the_best_trial_of_an_earlier_search_counts_if_data_and_program_are_the_same(sagemaker, env):
    sagemaker.extra = {
        "WarmStartConfig": {"WarmStartType": "IdenticalDataAndAlgorithm"},
        "OverallBestTrainingJob": trial("earlier", 0.99),
    }
    assert search.run(env)[0].best_training_job == "earlier"
    sagemaker.extra["WarmStartConfig"] = {"WarmStartType": "TransferLearning"}
    assert search.run(env, again=True)[0].best_training_job == "t2"


def test_a_search_that_starts_from_others_is_another_search(env, monkeypatch):
    monkeypatch.setattr(warm_start, "relation", lambda *_: "TransferLearning")
    first = search.run(env)[0]
    second = search.run(with_settings(env, tuning={"warm_start": WarmStart(jobs=[first.tuning_job])}))[0]
    assert second.tuning_job != first.tuning_job
    assert second.parents == [first.tuning_job]
