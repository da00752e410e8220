"""The record of a training job."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

from embedded_aws.services.sagemaker.training.records import TrainingJob, now


def test_status_transitions_are_contiguous() -> None:
    request = {"TrainingJobName": "job", "AlgorithmSpecification": {}}
    job = TrainingJob(request, "123456789012", "us-east-1", "arn")
    for step in ("Starting", "Downloading", "Training"):
        job.enter(step)
    job.start_time = datetime.now(timezone.utc)
    job.end("Stopped", "MaxRuntimeExceeded")
    described = job.describe()
    steps = described["SecondaryStatusTransitions"]
    assert [step["Status"] for step in steps][-1] == described["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert described["TrainingJobStatus"] == "Stopped"
    for step, next_step in pairwise(steps):
        assert step["StartTime"] <= step["EndTime"] == next_step["StartTime"]
    assert "FailureReason" not in described and "TuningJobArn" not in described


def test_spot_job_is_billed_at_the_spot_price() -> None:
    request = {"TrainingJobName": "job", "AlgorithmSpecification": {}, "EnableManagedSpotTraining": True}
    job = TrainingJob(request, "123456789012", "us-east-1", "arn")
    job.begin_attempt()
    started = job.attempt_time = job.start_time = now() - timedelta(seconds=1000)
    job.end_attempt()
    assert job.describe()["TrainingTimeInSeconds"] == 1001
    job.begin_attempt()
    assert job.attempt_time is not None
    job.attempt_time -= timedelta(seconds=500)
    job.end("Completed")
    described = job.describe()
    assert described["TrainingTimeInSeconds"] == 1501
    assert described["BillableTimeInSeconds"] == 451
    assert described["TrainingStartTime"] == started
    del request["EnableManagedSpotTraining"]
    assert job.describe()["BillableTimeInSeconds"] == 1501
