"""Events of SageMaker for EventBridge."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from embedded_aws.services.events import bus
from embedded_aws.services.sagemaker import events
from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.tuning.records import TuningJob


@pytest.fixture
def emitted(monkeypatch):
    """Detail type, resources and detail of every emitted event."""
    found: list[tuple] = []
    monkeypatch.setattr(bus, "rules", lambda region: ["one"])
    monkeypatch.setattr(bus, "emit", lambda region, source, *event: found.append(event))
    backend = SimpleNamespace(resource_tags={}, describe_tuning=lambda job: job.describe([], None))
    monkeypatch.setattr(events, "_backend", lambda region: backend)
    return found


def test_training_job_event_has_the_final_status(emitted):
    job = TrainingJob({"TrainingJobName": "j"}, "1", "us-east-1", "arn:j")
    job.enter("Starting")
    job.end("Failed", "MaxRuntimeExceeded", "too long")
    statuses = [(d["TrainingJobStatus"], d["SecondaryStatus"], d.get("FailureReason")) for _, _, d in emitted]
    assert statuses == [("InProgress", "Starting", None), ("Failed", "MaxRuntimeExceeded", "too long")]
    assert {(kind, *arns) for kind, arns, _ in emitted} == {("SageMaker Training Job State Change", "arn:j")}
    assert emitted[1][2]["TrainingEndTime"] == int(job.end_time.timestamp() * 1000)


def test_tuning_job_event_has_the_members_of_its_description(emitted):
    config = {"Strategy": "Random", "ResourceLimits": {"MaxParallelTrainingJobs": 1}}
    request = {"HyperParameterTuningJobName": "t", "HyperParameterTuningJobConfig": config}
    job = TuningJob(request, "1", "us-east-1", "arn:t")
    job.end("Failed", "no trial has succeeded")
    events.tuning_job(job)
    ((kind, arns, detail),) = emitted
    assert (kind, arns) == ("SageMaker HyperParameter Tuning Job State Change", ["arn:t"])
    assert detail["HyperParameterTuningJobStatus"] == "Failed"
    assert detail["FailureReason"] == "no trial has succeeded"
    assert detail["TrainingJobStatusCounters"]["NonRetryableError"] == 0


def test_no_event_is_made_without_rules(emitted, monkeypatch):
    monkeypatch.setattr(bus, "rules", lambda region: [])
    TrainingJob({"TrainingJobName": "j"}, "1", "us-east-1", "arn:j").enter("Starting")
    assert emitted == []
