"""The run of a tuning job, with simulated training jobs."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from embedded_aws.services.sagemaker.training.records import TrainingJob, now
from embedded_aws.services.sagemaker.tuning.records import OBJECTIVE, TuningJob
from embedded_aws.services.sagemaker.tuning.run import MAX_FAILURES, TuningRun


class Backend:
    """A simulated backend. Each training job logs the next of `values` and ends.

    None fails the job; "hangs" runs until it is stopped.
    """

    def __init__(self, values: list[Any]) -> None:
        self.values = iter(values)
        self.training_records: dict[str, TrainingJob] = {}
        self.waiting: dict[str, Any] = {}
        self.running = self.most = 0
        self.hung = threading.Event()  # set when two jobs hang

    def start_training(
        self, request: dict[str, Any], arn: str, share: int, on_metric: Any, on_end: Any
    ) -> None:
        job = TrainingJob(request, "123456789012", "us-east-1", f"arn:{request['TrainingJobName']}", arn)
        self.training_records[job.name] = job
        self.running += 1
        self.most = max(self.most, self.running)
        value = next(self.values)
        if value == "hangs":
            self.waiting[job.name] = on_end
            if len(self.waiting) == 2:
                self.hung.set()
            return
        if value is not None:
            job.metrics = {OBJECTIVE: {"MetricName": OBJECTIVE, "Value": value, "Timestamp": now()}}
        threading.Timer(
            0.005, self.end, (job, "Completed" if value is not None else "Failed", on_end)
        ).start()

    def end(self, job: TrainingJob, status: str, on_end: Any) -> None:
        self.running -= 1
        job.end(status)
        on_end(job)

    def stop_training(self, job: TrainingJob) -> None:
        if job.name in self.waiting:
            self.end(job, "Stopped", self.waiting.pop(job.name))

    def tuning_parents(self, job: TuningJob) -> list[TuningJob]:
        return []

    def tuning_trials(self, job: TuningJob) -> list[TrainingJob]:
        return [self.training_records[name] for name in job.trials if name in self.training_records]


def run(
    values: list[Any], parallel: int = 1, stop: bool = False, **config: Any
) -> tuple[dict[str, Any], Backend]:
    """Run a tuning job. Return its description and its backend.

    config: members of its configuration; `number` and `seconds` set its limits.
    """
    limits = {
        "MaxParallelTrainingJobs": parallel,
        "MaxNumberOfTrainingJobs": config.pop("number", len(values)),
    }
    if "seconds" in config:
        limits["MaxRuntimeInSeconds"] = config.pop("seconds")
    rate = {"Name": "rate", "MinValue": "0", "MaxValue": "1", "ScalingType": "Linear"}
    request = {
        "HyperParameterTuningJobName": "tuning",
        "HyperParameterTuningJobConfig": {
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "objective"},
            "ResourceLimits": limits,
            "ParameterRanges": {"ContinuousParameterRanges": [rate]},
            **config,
        },
        "TrainingJobDefinition": {
            "AlgorithmSpecification": {"MetricDefinitions": [{"Name": "objective", "Regex": "o=(.*)"}]}
        },
    }
    job, backend, ended = (
        TuningJob(request, "123456789012", "us-east-1", "arn"),
        Backend(values),
        threading.Event(),
    )

    def finish(job: TuningJob, status: str, reason: str | None) -> None:
        job.end(status, reason)
        ended.set()

    tuning = TuningRun(job, backend, finish)  # type: ignore[arg-type]
    tuning.start()
    if stop:
        assert backend.hung.wait(10)
        job.status = "Stopping"
        tuning.stop()
    assert ended.wait(10)
    return job.describe(backend.tuning_trials(job), None), backend


def completed(described: dict[str, Any]) -> int:
    return described["TrainingJobStatusCounters"]["Completed"]


@pytest.mark.parametrize("parallel", [1, 3])
def test_parallel_trials_are_limited(parallel: int) -> None:
    described, backend = run([0.1 * n for n in range(7)], parallel)
    assert backend.most == parallel
    assert completed(described) == 7 and described["BestTrainingJob"]["TrainingJobName"][7:10] == "007"


def test_job_ends_when_the_objective_stops_improving() -> None:
    criteria = {"BestObjectiveNotImproving": {"MaxNumberOfTrainingJobsNotImproving": 3}}
    described, _ = run([0.1, 0.5, 0.2, 0.3, 0.4, 0.9], TuningJobCompletionCriteria=criteria)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert completed(described) == 5
    assert described["TuningJobCompletionDetails"] == {"NumberOfTrainingJobsObjectiveNotImproving": 3}


def test_job_ends_at_its_target_objective() -> None:
    described, _ = run([0.1, 0.7, 0.9], TuningJobCompletionCriteria={"TargetObjectiveMetricValue": 0.7})
    assert completed(described) == 2


def test_job_at_its_maximum_runtime_stops_its_trials_and_completes() -> None:
    described, _ = run([0.5, "hangs", "hangs"], parallel=2, number=50, seconds=1)
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    counters = described["TrainingJobStatusCounters"]
    assert (counters["Completed"], counters["Stopped"], counters["InProgress"]) == (1, 2, 0)


def test_job_fails_after_trials_without_any_success() -> None:
    described, _ = run([None] * 20)
    assert described["HyperParameterTuningJobStatus"] == "Failed"
    assert described["FailureReason"].startswith(f"No training job succeeded after {MAX_FAILURES} attempts.")
    assert described["TrainingJobStatusCounters"]["NonRetryableError"] == MAX_FAILURES


def test_failures_between_successes_do_not_end_a_job() -> None:
    described, _ = run([0.1, None, None, None, None, None, 0.2])
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert described["ObjectiveStatusCounters"] == {"Succeeded": 2, "Pending": 0, "Failed": 5}


def test_stopped_job_keeps_its_best_trial() -> None:
    described, _ = run([0.4, "hangs", "hangs", 0.9], parallel=2, stop=True)
    assert described["HyperParameterTuningJobStatus"] == "Stopped"
    counters = described["TrainingJobStatusCounters"]
    assert (counters["Completed"], counters["Stopped"], counters["InProgress"]) == (1, 2, 0)
    assert described["BestTrainingJob"]["FinalHyperParameterTuningJobObjectiveMetric"]["Value"] == 0.4
