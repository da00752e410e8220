"""A training job of SageMaker that fails says why, and where to read on."""

import time

import pytest

from ml.jobs.follow import LOG_GROUP
from ml.jobs.launchers.sagemaker import SageMakerLauncher
from ops.errors import OperatorError, Refused
from tests.environments import with_clients, with_settings


class Sagemaker:
    """A training job that has ended."""

    def __init__(self, status: str, reason: str):
        self.job = {"TrainingJobName": "job-1", "TrainingJobStatus": status}
        self.job |= {"FailureReason": reason} if reason else {}

    def describe_training_job(self, TrainingJobName):
        return {**self.job, "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/model.tar.gz"}}


@pytest.fixture
def log(account, dev):
    """The log of the job."""
    logs = dev.client("logs")
    logs.create_log_group(logGroupName=LOG_GROUP)
    stream = {"logGroupName": LOG_GROUP, "logStreamName": "job-1/algo-1"}
    logs.create_log_stream(**stream)
    event = {"timestamp": int(time.time() * 1000), "message": "ValueError: no images in class 3"}
    logs.put_log_events(**stream, logEvents=[event])


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        ("Failed", "CapacityError: no ml.p3", r"ended as Failed: CapacityError: no ml\.p3\. Its whole log"),
        (
            "Failed",
            "AlgorithmError: exit code: 1",
            "exit code: 1; the last lines .*: ValueError: no images in class 3. ",
        ),
        (
            "Failed",
            "",
            "AWS gives no reason; the last lines of its log: ValueError: no images in class 3. Its",
        ),
        ("Stopped", "", r"ended as Stopped: it was stopped\. "),
    ],
)
def test_a_failed_job_gives_its_reason_or_the_end_of_its_log(log, dev, status, reason, message):
    env = with_clients(dev, sagemaker=Sagemaker(status, reason))
    with pytest.raises(OperatorError, match=message) as failed:
        SageMakerLauncher(env).run(None, "job-1", lambda *_, **__: None, lambda line: None)
    assert f"in {LOG_GROUP}, streams job-1/…. Fix the cause and run the same command again." in str(
        failed.value
    )


@pytest.mark.parametrize(
    ("secondary", "message"),
    [
        ("MaxRuntimeExceeded", r"Stopped: it ran longer than training\.max_runtime_seconds, \d+ s\."),
        (
            "MaxWaitTimeExceeded",
            r"Stopped: it waited for Spot capacity .* twice training\.max_runtime_seconds",
        ),
        ("Stopped", r"Stopped: it was stopped\."),
    ],
)
def test_a_job_that_reached_a_limit_names_the_setting(log, dev, secondary, message):
    sagemaker = Sagemaker("Stopped", "")
    sagemaker.job["SecondaryStatus"] = secondary
    with pytest.raises(OperatorError, match=message):
        SageMakerLauncher(with_clients(dev, sagemaker=sagemaker)).run(
            None, "job-1", lambda *_, **__: None, lambda line: None
        )


def test_an_unknown_instance_type_is_refused_before_anything_is_created(log, dev):
    env = with_settings(dev, training={"instance_type": "ml.m5.lrge"})
    with pytest.raises(Refused, match=r"did you mean ml\.m5\.large"):
        SageMakerLauncher(env).check(None)
