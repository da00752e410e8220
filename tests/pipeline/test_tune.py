"""What the tuning stage reports of failed trials."""

from ml.jobs import search
from ml.jobs.trials import Trial
from ops import console
from pipeline import tune

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


def test_failed_trials_are_reported_with_their_reasons_and_how_they_ended(dev, monkeypatch, capsys):
    result, shown = run(
        dev,
        monkeypatch,
        capsys,
        trial("t3", 0.9),
        trial("t1-retry", 0.8, retry_of="t1"),
        trial("t1", failure="AlgorithmError: exit code: 137."),
        trial("t2", failure="AlgorithmError: exit code: 1"),
        trial("t2-retry", failure="AlgorithmError: no memory", retry_of="t2"),
    )
    assert (
        "trial t1 failed: AlgorithmError: exit code: 137; repeated as t1-retry, validation accuracy 0.8000"
        in shown
    )
    assert (
        "trial t2 failed: AlgorithmError: exit code: 1; repeated as t2-retry, Failed: AlgorithmError: no memory"
        in shown
    )
    assert "search: validation accuracy 0.9000; 2 of 3 trials failed" in shown
    assert [t["failure"] for t in result["trials"] if t["name"] == "t1"] == [
        "AlgorithmError: exit code: 137."
    ]
    assert [t["retry_of"] for t in result["trials"]] == ["", "t1", "", "", "t2"]


def test_without_failures_nothing_is_reported(dev, monkeypatch, capsys):
    _, shown = run(dev, monkeypatch, capsys, trial("t3", 0.9))
    assert "failed" not in shown
    assert "search: validation accuracy 0.9000" in shown
