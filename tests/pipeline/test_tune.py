"""What the tuning stage reports of failed trials."""

import sys

from ml.jobs import search
from ml.jobs.trials import Trial
from ops import console
from pipeline import tune
from tests.environments import with_settings

RESULT = search.SearchResult(
    tuning_job="search",
    model={},
    data_hash="d",
    dataset="sample",
    best_training_job="t3",
    best_objective=0.9,
    hyperparameters={"learning-rate": "0.01", "_tuning_objective_metric": "x"},
)


def trial(name: str, objective: float | None = None, failure: str = "", retry_of: str = "") -> Trial:
    status = "Failed" if failure else "Completed"
    return Trial({"learning-rate": "0.01"}, name, status, objective, None, None, None, failure, retry_of)


def run(env, monkeypatch, capsys, *trials: Trial) -> tuple[dict, str]:
    monkeypatch.setattr(search, "run", lambda env, **options: (RESULT, list(trials), True))
    console.console.cache_clear()
    try:
        return tune.run(env), " ".join(capsys.readouterr().err.split())
    finally:
        console.console.cache_clear()


def test_failed_trials_are_reported_with_their_reasons_and_how_they_ended(account, dev, monkeypatch, capsys):
    result, shown = run(
        dev,
        monkeypatch,
        capsys,
        trial("t3", 0.9),
        trial("t1-retry", 0.8, retry_of="t1"),
        trial("t1", failure="AlgorithmError: the GPU is lost."),
        trial("t2", failure="AlgorithmError: exit code: 1"),
        trial("t2-retry", failure="AlgorithmError: no memory", retry_of="t2"),
    )
    assert (
        "trial t1 (learning-rate 0.01) failed: AlgorithmError: the GPU is lost; repeated as t1-retry, validation "
        "accuracy 0.8000" in shown
    )
    assert (
        "trial t2 (learning-rate 0.01) failed: AlgorithmError: exit code: 1; its log has no lines that you may read; "
        "repeated as t2-retry, Failed: AlgorithmError: no memory" in shown
    )
    assert "search: validation accuracy 0.9000; 2 of 3 trials failed" in shown
    assert [t["failure"] for t in result["trials"] if t["name"] == "t1"] == [
        "AlgorithmError: the GPU is lost."
    ]
    assert [t["retry_of"] for t in result["trials"]] == ["", "t1", "", "", "t2"]


def test_without_failures_nothing_is_reported(dev, monkeypatch, capsys):
    _, shown = run(dev, monkeypatch, capsys, trial("t3", 0.9))
    assert "failed" not in shown
    assert "search: validation accuracy 0.9000" in shown


def test_a_search_that_lost_trials_is_degraded(dev, monkeypatch, capsys):
    result, _ = run(dev, monkeypatch, capsys, trial("t3", 0.9), trial("t4"))
    assert result["outcome"] == "degraded"
    assert (
        result["reason"] == f"only 1 of {dev.settings.tuning.max_jobs} trials gave a result (tuning.max_jobs)"
    )


def test_a_search_with_every_result_is_done(dev, monkeypatch, capsys):
    given = [trial(f"t{number}", 0.5) for number in range(dev.settings.tuning.max_jobs)]
    result, _ = run(dev, monkeypatch, capsys, *given)
    assert (result["outcome"], result["reason"]) == ("done", "")


def test_options_replace_settings_for_this_search_only(dev):
    changed = tune.with_options(dev, strategy="Random", max_jobs=9, spot=None).settings
    assert (changed.tuning.strategy, changed.tuning.max_jobs, changed.tuning.spot) == ("Random", 9, False)
    assert changed.tuning.continuous == dev.settings.tuning.continuous
    assert tune.with_options(dev, strategy=None) is dev
    assert dev.settings.tuning.strategy == "Bayesian"


def test_the_original_search_tunes_batch_size_and_learning_rate_one_trial_after_the_other(dev):
    found = tune.with_options(
        with_settings(dev, training={"instance_type": "ml.g5.xlarge"}), original=True
    ).settings
    assert found.tuning.ranged == {"batch-size", "learning-rate"}
    assert (found.tuning.number_of_jobs, found.tuning.max_parallel_jobs) == (2, 1)
    assert found.training.instance_type == "ml.m5.2xlarge"
    assert tune.with_options(dev, original=True, max_jobs=4).settings.tuning.max_jobs == 4


def test_what_the_shared_features_saved_is_reported(dev, monkeypatch, capsys):
    saved = search.FeaturesResult(
        job="features-job",
        seconds=150,
        computing_seconds=120,
        usd=0.02,
        reused=False,
        saved_seconds=840,
        saved_usd=0.14,
    )
    monkeypatch.setattr(sys.modules[__name__], "RESULT", RESULT.model_copy(update={"features": saved}))
    result, shown = run(dev, monkeypatch, capsys, trial("t3", 0.9), trial("t4", 0.8))
    assert (
        "features-job computed the features of all images once, in 120.0 s: this saved 840 s of training and "
        "0.1400 USD" in shown
    )
    assert result["features"]["saved_seconds"] == 840
