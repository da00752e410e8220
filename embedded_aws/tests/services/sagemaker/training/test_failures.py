"""Training jobs that fail or are stopped."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from training_kit import Training, channel, image, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def work(embedded_aws) -> Training:
    return Training(embedded_aws)


def test_program_that_fills_its_volume_fails(work: Training) -> None:
    program = """
import os, time
with open("/opt/ml/output/data/large", "wb") as file:
    os.posix_fallocate(file.fileno(), 0, 1024**3 + 4096)
    time.sleep(600)
"""
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    job = work.run(script=program, ResourceConfig=resources)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("AlgorithmError: [Errno 28] No space left on device: ")
    assert "ModelArtifacts" not in job


def test_crash_reports_its_reason_and_the_complete_log(work: Training) -> None:
    job = work.run("print('before the crash')\nraise ValueError('a bad day')")
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ExecuteUserScriptError")
    assert "ValueError" in job["FailureReason"] and "a bad day" in job["FailureReason"]
    assert job["FailureReason"].endswith("exit code: 1")
    assert "ModelArtifacts" not in job
    (lines,) = work.log(job["TrainingJobName"]).values()
    assert "before the crash" in lines and "a bad day" in "\n".join(lines)


def test_role_without_access_to_the_data_fails_the_job(work: Training) -> None:
    work.put("secret/1.png", b"one")
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}
    data = [channel("train", f"s3://{work.bucket}/secret/")]
    job = work.run("print(1)", RoleArn=work.role([listing]), InputDataConfig=data)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Data download failed")
    assert "AccessDenied" in job["FailureReason"] and "secret/1.png" in job["FailureReason"]
    job = work.run("print(1)", RoleArn=work.role([{**listing, "Action": "sqs:*"}]), InputDataConfig=data)
    assert "s3:ListBucket" in job["FailureReason"] and "AccessDenied" in job["FailureReason"]
    assert [s["Status"] for s in job["SecondaryStatusTransitions"]] == ["Starting", "Downloading", "Failed"]


def test_role_without_write_access_fails_the_upload(work: Training) -> None:
    statements = [{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject"], "Resource": "*"}]
    program = "open('/opt/ml/model/model', 'w'); print('validation:loss=0.5')"
    job = work.run(script=program, RoleArn=work.role(statements))
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: Artifact upload failed: AccessDenied")
    assert job["FinalMetricDataList"][0]["Value"] == 0.5
    assert work.log(job["TrainingJobName"]) == {}


def test_empty_prefix_fails_the_job(work: Training) -> None:
    data = [channel("train", f"s3://{work.bucket}/nothing/here")]
    reason = work.run("print(1)", InputDataConfig=data)["FailureReason"]
    assert f'No S3 objects found under S3 URL "s3://{work.bucket}/nothing/here"' in reason


def test_failing_instance_ends_the_others(work: Training) -> None:
    program = """
import json, os, time
if os.environ["SM_CURRENT_HOST"] == json.loads(os.environ["SM_HOSTS"])[1]:
    raise SystemExit(7)
time.sleep(600)
"""
    job = work.run(program, instances=2)
    assert job["TrainingJobStatus"] == "Failed"
    assert "ExitCode 7" in job["FailureReason"]


def test_missing_entrypoint_fails_the_job(work: Training) -> None:
    reason = work.run(AlgorithmSpecification=image("-c", "/no/such/program"))["FailureReason"]
    assert reason.startswith("AlgorithmError: The entrypoint could not be started") and "/no/such" in reason


SAVES_ON_SIGTERM = """
import os, signal, sys, time
def save(*_):
    open(os.path.join(os.environ["SM_MODEL_DIR"], "saved"), "w").write("in time")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(600)
"""


def test_stopped_job_uploads_what_it_saved_in_the_grace_period(work: Training) -> None:
    name = work.start(SAVES_ON_SIGTERM)
    wait_for(lambda: any("ready" in lines for lines in work.log(name).values()))
    work.sagemaker.stop_training_job(TrainingJobName=name)
    assert work.sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] == "Stopping"
    job = work.ended(name)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
    assert "FailureReason" not in job
    assert work.archive(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"saved": b"in time"}
    with pytest.raises(ClientError, match="the training job is in status Stopped"):
        work.sagemaker.stop_training_job(TrainingJobName=name)


def test_job_is_stopped_at_its_maximum_runtime(work: Training) -> None:
    algorithm = image("exec sleep 600")
    job = work.run(AlgorithmSpecification=algorithm, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert job["TrainingTimeInSeconds"] < 60
