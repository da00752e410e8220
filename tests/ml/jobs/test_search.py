"""The search: started or resumed, followed until it ends, trials in order, failed ones repeated."""

import json
from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from ml.jobs import search, trials, tuning_request
from ops import s3
from ops.errors import OperatorError
from tests.environments import with_clients, with_settings
from tests.ml.jobs.search_kit import START, failed, trial


def test_a_search_is_started_followed_and_its_result_written(env):
    seen = []
    result, trials, ran = search.run(env, on_progress=lambda *progress: seen.append(progress))
    assert ran
    assert seen == [("InProgress", 3, 2), ("Completed", 3, 2)]
    assert (result.best_training_job, result.best_objective) == ("t2", 0.9)
    assert [t.name for t in trials] == ["t2", "t1"]
    assert search.latest(env) == result
    stored = json.loads(s3.get(env, s3.in_data_bucket(env, search.RESULT)))
    assert stored["tuning_job"] == result.tuning_job
    assert (stored["fixed"]["mode"], stored["fixed"]["mixup"]) == (env.settings.model.mode, "0.0")
    assert not set(stored["fixed"]) & set(result.hyperparameters)


def test_a_finished_search_is_repeated_only_on_request(sagemaker, env):
    first, _, _ = search.run(env)
    same, _, ran = search.run(env)
    assert (same, ran) == (first, False)
    repeated, _, ran = search.run(env, again=True)
    assert ran
    assert repeated.tuning_job != first.tuning_job
    assert search.run(env)[0] == repeated  # the newer one counts from now on


def test_a_running_search_is_resumed(sagemaker, env, monkeypatch):
    name = search.run(env)[0].tuning_job
    sagemaker.jobs[name] = ["InProgress", "InProgress", "Completed"]
    monkeypatch.setattr(tuning_request, "create", lambda *_: pytest.fail("a second search was started"))
    result, _, ran = search.run(env)
    assert (result.tuning_job, ran) == (name, True)


def test_quotas_are_checked_before_a_new_search_only(sagemaker, env):
    checks = []

    def check() -> None:
        checks.append(len(sagemaker.jobs))

    assert search.is_due(env)
    search.run(env, before_start=check)
    assert checks == [0]  # before it was created
    assert not search.is_due(env)
    search.run(env, before_start=check)
    sagemaker.jobs = {name: ["InProgress", "Completed"] for name in sagemaker.jobs}
    assert not search.is_due(env)
    search.run(env, before_start=check)
    assert checks == [0]


def test_a_search_that_another_command_started_in_the_same_moment_is_followed(sagemaker, env, monkeypatch):
    def taken(*arguments) -> None:
        sagemaker.jobs[arguments[-1]] = ["InProgress", "Completed"]
        raise ClientError({"Error": {"Code": "ResourceInUse"}}, "CreateHyperParameterTuningJob")

    monkeypatch.setattr(tuning_request, "create", taken)
    result, _, ran = search.run(env)
    assert (list(sagemaker.jobs), ran) == ([result.tuning_job], True)


@pytest.mark.parametrize("change", [{"epochs": 99}, {"seed": 7}, {"max_jobs": 3}])
def test_other_settings_start_another_search(env, change):
    first, _, _ = search.run(env)
    other, _, ran = search.run(with_settings(env, tuning=change))
    assert ran
    assert other.tuning_job != first.tuning_job


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (
            "Failed",
            "AlgorithmError: exit code 1.",
            r"ended as Failed: AlgorithmError: exit code 1\. The logs",
        ),
        ("Failed", "AlgorithmError: exit code 1", r"ended as Failed: AlgorithmError: exit code 1\. The logs"),
        (
            "Stopped",
            None,
            r"ended as Stopped: it was stopped, or ran longer than tuning\.max_runtime_seconds, \d+ s\. The logs",
        ),
    ],
)
def test_a_failed_search_reports_reason_log_and_command(sagemaker, env, monkeypatch, status, reason, message):
    sagemaker.reason = reason
    monkeypatch.setattr(
        tuning_request,
        "create",
        lambda *arguments: sagemaker.jobs.update({arguments[-1]: ["InProgress", status]}),
    )
    with pytest.raises(OperatorError, match=message) as failed:
        search.run(env)
    assert "streams t2/…" in str(failed.value)
    assert "Run the same command again to start a new one." in str(failed.value)


def test_a_search_without_any_objective_is_an_error(sagemaker, env):
    sagemaker.trials = [trial("t1", None, "Completed")]
    with pytest.raises(OperatorError, match=r"No trial of .* reported validation:accuracy"):
        search.run(env)


# ---- failed trials ----


def succeeded(accuracy: float) -> dict:
    return {
        "TrainingJobStatus": "Completed",
        "FinalMetricDataList": [{"MetricName": "validation:accuracy", "Value": accuracy}],
        "TrainingStartTime": START,
        "TrainingEndTime": START + timedelta(seconds=9),
    }


def test_a_failed_trial_is_repeated_once_and_can_be_the_best(sagemaker, env):
    sagemaker.trials = [failed("t1"), trial("t2", 0.9)]
    sagemaker.outcomes = {"t1": succeeded(0.95)}
    result, found, ran = search.run(env)
    assert ran
    assert (result.best_training_job, result.best_objective) == ("t1-retry", 0.95)
    assert result.hyperparameters == {"learning-rate": "0.01"}
    assert [(t.name, t.objective, t.retry_of, t.failure) for t in found] == [
        ("t1-retry", 0.95, "t1", ""),
        ("t2", 0.9, "", ""),
        ("t1", None, "", "AlgorithmError: killed, exit code: 137"),
    ]
    assert found[0].elapsed == 9


def test_a_trial_that_fails_twice_leaves_the_search_with_the_good_one(sagemaker, env):
    sagemaker.trials = [failed("t1"), trial("t2", 0.9)]
    result, found, _ = search.run(env)
    assert result.best_training_job == "t2"
    assert {t.name: t.failure for t in found if t.retry_of} == {"t1-retry": "again."}
    sagemaker.outcomes = {"t1": succeeded(0.95)}
    again, _, ran = search.run(env)
    assert (again, ran) == (result, False)  # once


def test_a_repeated_trial_that_was_interrupted_is_followed(sagemaker, env):
    search.run(env)
    sagemaker.trials = [failed("t1"), trial("t2", 0.9)]
    sagemaker.repeated = {"t1-retry": [{"TrainingJobStatus": "InProgress"}, succeeded(0.99)]}
    assert search.run(env)[0].best_training_job == "t1-retry"


def test_repeated_trials_run_no_more_at_a_time_than_those_of_the_search(sagemaker, env):
    sagemaker.trials = [*(failed(f"t{number}") for number in range(5)), trial("good", 0.9)]
    sagemaker.outcomes = {f"t{number}": succeeded(number / 10) for number in range(5)}
    parallel = with_settings(env, tuning={"max_jobs": 6, "max_parallel_jobs": 2})
    seen = []
    found = search.run(
        with_clients(parallel, sagemaker=sagemaker), on_progress=lambda *progress: seen.append(progress)
    )[1]
    assert sum(bool(t.retry_of) for t in found) == 5
    assert seen[-1] == ("repeating failed trials", 5, 5)


def all_fail(sagemaker, monkeypatch) -> None:
    sagemaker.trials = [failed("t1"), failed("t2")]
    sagemaker.reason = "All training jobs failed."
    monkeypatch.setattr(
        tuning_request,
        "create",
        lambda *arguments: sagemaker.jobs.update({arguments[-1]: ["InProgress", "Failed"]}),
    )


def test_if_all_trials_failed_one_is_repeated_to_see_whether_it_was_chance(sagemaker, env, monkeypatch):
    all_fail(sagemaker, monkeypatch)
    with pytest.raises(OperatorError, match=r"ended as Failed: All training jobs failed\. ") as error:
        search.run(env)
    said = str(error.value)
    assert "Its first failed trial, t1 (learning-rate 0.01): " in said
    assert "; repeated as t1-retry: again." in said
    assert "streams t1/…. Run the same command again to start a new one." in said
    assert list(sagemaker.repeated) == ["t1-retry"]


def test_if_that_one_succeeds_the_others_are_repeated_and_the_search_counts(sagemaker, env, monkeypatch):
    all_fail(sagemaker, monkeypatch)
    sagemaker.outcomes = {"t1": succeeded(0.8), "t2": succeeded(0.7)}
    result, found, _ = search.run(env)
    assert result.best_training_job == "t1-retry" and len(found) == 4
    same, _, ran = search.run(env)
    assert (same, ran, len(sagemaker.jobs)) == (result, False, 1)


def test_trials_are_sorted_by_objective_those_without_last(sagemaker, env):
    sagemaker.trials = [trial("a", None, "Failed"), trial("b", 0.0), trial("c", 0.7)]
    found = trials.of_search(env, "search")
    assert [(t.name, t.objective, t.elapsed) for t in found] == [
        ("c", 0.7, 42.0),
        ("b", 0.0, 42.0),
        ("a", None, 42.0),
    ]


def test_a_running_trial_has_no_elapsed_time():
    summary = trial("t1", None, "InProgress")
    del summary["TrainingEndTime"]
    assert trials.of_summary(summary).elapsed is None


def test_without_a_search_the_command_is_named(env):
    with pytest.raises(OperatorError, match=r"no tuned hyperparameters yet: run \./inv tune --env dev\."):
        search.latest(env)


def test_a_result_for_other_data_is_refused(env, account, manifest):
    search.run(env)
    files = dict(list(manifest.files.items())[1:])
    account.upload(type(manifest)(manifest.dataset, files))
    with pytest.raises(OperatorError, match=r"were tuned on other data: run \./inv tune --env dev"):
        search.latest(env)


def test_a_result_for_another_network_is_refused(env):
    search.run(env)
    other = with_settings(env, model={"architecture": "resnet18"})
    with pytest.raises(
        OperatorError, match=r"tuned for architecture small_cnn, .*not for architecture resnet18"
    ):
        search.latest(other)


def test_a_result_of_another_version_is_refused(env):
    s3.put(env, search.RESULT, b'{"job": "x"}')
    with pytest.raises(
        OperatorError,
        match=r"s3://.*/results/tuning\.json .*another version of this repository .*: run \./inv tune",
    ):
        search.latest(env)
