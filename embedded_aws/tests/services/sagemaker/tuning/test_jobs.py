"""Tuning jobs whose trials are training jobs."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from training_kit import Training, wait_for
from tuning_kit import Tuner, rate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tuner(embedded_aws) -> Tuner:
    return Tuner(Training(embedded_aws))


def objective(trial: dict[str, Any]) -> float:
    return trial["FinalHyperParameterTuningJobObjectiveMetric"]["Value"]


def test_trials_are_training_jobs_and_the_best_one_is_reported(tuner: Tuner) -> None:
    ranges = {
        "ContinuousParameterRanges": [rate()],
        "IntegerParameterRanges": [
            {"Name": "epochs", "MinValue": "1", "MaxValue": "2", "ScalingType": "Linear"}
        ],
        "CategoricalParameterRanges": [{"Name": "mood", "Values": ["good", "fair"]}],
    }
    request = tuner.request("Bayesian", ranges=ranges, number=3)
    job = tuner.ended(tuner.start(request))
    name = request["HyperParameterTuningJobName"]
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    for member, value in request.items():
        if member != "Tags":
            assert job[member] == value, member
    assert job["TrainingJobStatusCounters"]["Completed"] == 3
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 3, "Pending": 0, "Failed": 0}

    trials = tuner.trials(name, SortBy="FinalObjectiveMetricValue", SortOrder="Descending")
    assert [objective(t) for t in trials] == sorted((objective(t) for t in trials), reverse=True)
    best = job["BestTrainingJob"]
    assert best == trials[0]
    assert best["TrainingJobName"].startswith(f"{name}-00")

    child = tuner.work.sagemaker.describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert child["TuningJobArn"] == job["HyperParameterTuningJobArn"]
    tuned = best["TunedHyperParameters"]
    assert set(tuned) == {"rate", "epochs", "mood"}
    assert tuned.items() <= child["HyperParameters"].items()
    assert child["HyperParameters"]["_tuning_objective_metric"] == "objective"
    assert {m["MetricName"]: m["Value"] for m in child["FinalMetricDataList"]} == {
        "objective": objective(best),
        "ObjectiveMetric": objective(best),
    }
    expected = 1 - (float(tuned["rate"]) - 0.3) ** 2 - 1 / (10 * int(tuned["epochs"]))
    assert objective(best) == pytest.approx(expected, abs=1e-5)
    tags = tuner.work.sagemaker.list_tags(ResourceArn=child["TrainingJobArn"])["Tags"]
    assert tags == request["Tags"]
    two = tuner.trials(name, MaxResults=2)
    assert [t["TrainingJobName"][-12:-9] for t in two] == ["001", "002"]


def test_grid_runs_every_combination_once_despite_failures(tuner: Tuner) -> None:
    ranges = {
        "CategoricalParameterRanges": [
            {"Name": "mood", "Values": ["good", "bad"]},
            {"Name": "rate", "Values": ["0.1", "0.3"]},
        ]
    }
    job = tuner.run("Grid", ranges=ranges, number=None)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    trials = tuner.trials(job["HyperParameterTuningJobName"])
    combinations = {(t["TunedHyperParameters"]["mood"], t["TunedHyperParameters"]["rate"]) for t in trials}
    assert len(trials) == len(combinations) == 4
    assert job["TrainingJobStatusCounters"]["NonRetryableError"] == 2
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 2, "Pending": 0, "Failed": 2}
    assert job["BestTrainingJob"]["TunedHyperParameters"] == {"mood": "good", "rate": "0.3"}
    failed = tuner.trials(job["HyperParameterTuningJobName"], StatusEquals="Failed")
    assert {t["TunedHyperParameters"]["mood"] for t in failed} == {"bad"}


def test_job_without_any_success_fails(tuner: Tuner) -> None:
    job = tuner.run(static={"mood": "bad"})
    assert job["HyperParameterTuningJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("All training jobs failed.")
    assert "BestTrainingJob" not in job


def test_trial_without_an_objective_value_does_not_count(tuner: Tuner) -> None:
    job = tuner.run(static={"epochs": "0"}, number=1, parallel=1)
    assert job["TrainingJobStatusCounters"]["Completed"] == 1
    assert job["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 0, "Failed": 1}
    assert job["HyperParameterTuningJobStatus"] == "Failed"


def test_stop_ends_running_trials(tuner: Tuner) -> None:
    name = tuner.start(tuner.request(static={"epochs": "500"}, number=10))
    wait_for(lambda: tuner.describe(name)["TrainingJobStatusCounters"]["InProgress"] == 2)
    tuner.work.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    job = tuner.ended(name)
    assert job["HyperParameterTuningJobStatus"] == "Stopped"
    assert job["TrainingJobStatusCounters"]["Stopped"] == 2
    assert len(tuner.trials(name)) == 2
    with pytest.raises(ClientError, match="is in status Stopped"):
        tuner.work.sagemaker.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)


def test_hyperband_stops_weak_trials(tuner: Tuner) -> None:
    ranges = {"CategoricalParameterRanges": [{"Name": "rate", "Values": ["0.3", "0.9"]}]}
    config = {"StrategyConfig": {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": 9}}}
    job = tuner.run("Hyperband", ranges=ranges, static={"epochs": "9"}, number=6, **config)
    trials = tuner.trials(job["HyperParameterTuningJobName"])
    stopped = [t for t in trials if t["TrainingJobStatus"] == "Stopped"]
    assert stopped and len(stopped) < len(trials)
    assert all(t["ObjectiveStatus"] == "Succeeded" for t in stopped)
    assert job["BestTrainingJob"]["TrainingJobStatus"] == "Completed"


def test_early_stopping_auto_stops_weak_trials(tuner: Tuner) -> None:
    """The grid runs three trials at the best rate first. The last trials are below their median from the start."""
    ranges = {
        "CategoricalParameterRanges": [
            {"Name": "rate", "Values": ["0.3", "0.9"]},
            {"Name": "mood", "Values": ["good", "fair", "calm"]},
        ]
    }
    stopping = {"TrainingJobEarlyStoppingType": "Auto"}
    static = {"epochs": "8", "pause": "1"}
    job = tuner.run("Grid", ranges=ranges, static=static, number=None, parallel=3, **stopping)
    trials = tuner.trials(job["HyperParameterTuningJobName"])
    stopped = [t for t in trials if t["TrainingJobStatus"] == "Stopped"]
    assert {t["TunedHyperParameters"]["rate"] for t in stopped} == {"0.9"}
    assert job["TrainingJobStatusCounters"]["Stopped"] == len(stopped)
    assert job["ObjectiveStatusCounters"]["Succeeded"] == 6
    assert job["BestTrainingJob"]["TunedHyperParameters"]["rate"] == "0.3"
    assert job["HyperParameterTuningJobStatus"] == "Completed"


def test_target_objective_ends_the_job(tuner: Tuner) -> None:
    criteria = {"TuningJobCompletionCriteria": {"TargetObjectiveMetricValue": 0.1}}
    job = tuner.run(number=20, parallel=1, **criteria)
    assert job["HyperParameterTuningJobStatus"] == "Completed"
    assert job["TrainingJobStatusCounters"]["Completed"] == 1


def test_warm_start_learns_from_its_parent(tuner: Tuner) -> None:
    parent = tuner.run(number=1, parallel=1, ranges={"ContinuousParameterRanges": [rate("0.29", "0.31")]})
    name = parent["HyperParameterTuningJobName"]
    warm = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": name}],
        "WarmStartType": "TransferLearning",
    }
    ranges = {"ContinuousParameterRanges": [rate("0.8", "0.9")]}
    job = tuner.run(number=1, parallel=1, ranges=ranges, warm=warm)
    assert job["OverallBestTrainingJob"]["TrainingJobName"] == parent["BestTrainingJob"]["TrainingJobName"]
    assert job["BestTrainingJob"]["TrainingJobName"] != parent["BestTrainingJob"]["TrainingJobName"]

    other = tuner.request(warm=warm)
    other["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]["Type"] = "Minimize"
    with pytest.raises(ClientError, match="must match that of the parent tuning job"):
        tuner.start(other)
    other = tuner.request(warm={**warm, "WarmStartType": "IdenticalDataAndAlgorithm"})
    other["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingImage"] = "repo/pytorch:2.0"
    with pytest.raises(ClientError, match="IdenticalDataAndAlgorithm needs the training image of the parent"):
        tuner.start(other)
    assert job["OverallBestTrainingJob"]["TuningJobName"] == name
    with pytest.raises(ClientError, match=r"static and tunable hyperparameters, 4, must be that of .*, 3"):
        tuner.start(tuner.request(warm=warm, static={"mood": "good"}))


REFUSALS = {
    "name too long": ({}, {"HyperParameterTuningJobName": "t" * 33}, "length less than or equal to 32"),
    "upside down": ({"ranges": {"ContinuousParameterRanges": [rate("2", "1")]}}, {}, "MinValue .* less than"),
    "no logarithm": (
        {"ranges": {"ContinuousParameterRanges": [rate("0", "1")]}},
        {},
        "greater than 0, not 0",
    ),
    "in both": ({"static": {"rate": "1"}}, {}, "both a range and StaticHyperParameters"),
    "grid of numbers": ({"strategy": "Grid"}, {}, "categorical parameters only"),
    "more parallel than trials": ({"parallel": 5, "number": 2}, {}, "MaxParallelTrainingJobs"),
    "unknown objective": (
        {"HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"}},
        {},
        r"not provided for the objective metric \[loss\]",
    ),
    "convergence": (
        {"TuningJobCompletionCriteria": {"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}},
        {},
        "does not detect convergence",
    ),
    "no limit": ({"number": None}, {}, "MaxNumberOfTrainingJobs or MaxRuntimeInSeconds"),
    "two ways to stop early": (
        {"strategy": "Hyperband", "TrainingJobEarlyStoppingType": "Auto"},
        {},
        "Hyperband stops training jobs itself",
    ),
    "hyperband without epochs": (
        {"strategy": "Hyperband"},
        {},
        "must set MaxResource, or .* epochs, numepochs",
    ),
    "autotune": ({}, {"Autotune": {"Mode": "Enabled"}}, "without Autotune"),
    "no such parent": (
        {
            "warm": {
                "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "nobody"}],
                "WarmStartType": "TransferLearning",
            }
        },
        {},
        "can't find a tuning job with the name nobody",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_invalid_tuning_job_is_refused(tuner: Tuner, case: str) -> None:
    changes, members, message = REFUSALS[case]
    with pytest.raises(ClientError, match=message) as refused:
        tuner.start({**tuner.request(**changes), **members})
    assert refused.value.response["Error"]["Code"] == "ValidationException"


def test_invalid_training_definition_is_refused(tuner: Tuner) -> None:
    request = tuner.request()
    request["TrainingJobDefinition"]["EnableManagedSpotTraining"] = True
    with pytest.raises(ClientError, match=r"\(ValidationException\).*Invalid MaxWaitTimeInSeconds"):
        tuner.start(request)


def test_names_are_unique_and_list_agrees_with_description(tuner: Tuner) -> None:
    request = tuner.request(number=1, parallel=1)
    name = tuner.start(request)
    with pytest.raises(ClientError, match="must be unique") as refused:
        tuner.start(request)
    assert refused.value.response["Error"]["Code"] == "ResourceInUse"
    job = tuner.ended(name)
    (summary,) = tuner.work.sagemaker.list_hyper_parameter_tuning_jobs(NameContains=name)[
        "HyperParameterTuningJobSummaries"
    ]
    assert summary["TrainingJobStatusCounters"] == job["TrainingJobStatusCounters"]
    tuner.work.sagemaker.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    with pytest.raises(ClientError, match="can't find a tuning job"):
        tuner.describe(name)


def test_sagemaker_sdk_reads_and_waits(tuner: Tuner, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from sagemaker.core.resources import HyperParameterTuningJob

    name = tuner.start(tuner.request(number=1, parallel=1))
    for key, value in tuner.work.aws.credentials.items():
        monkeypatch.setenv(key, value)
    job = HyperParameterTuningJob.get(name, session=boto3.Session(), region="us-east-1")
    job.wait(poll=1)
    assert job.hyper_parameter_tuning_job_status == "Completed"
    (trial,) = job.get_all_training_jobs(session=boto3.Session(), region="us-east-1")
    assert trial.tuned_hyper_parameters.keys() == {"rate"}
    assert job.best_training_job.final_hyper_parameter_tuning_job_objective_metric.value > 0
