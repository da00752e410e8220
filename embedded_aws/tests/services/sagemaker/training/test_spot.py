"""Interruptions of spot training jobs, and programs that ignore SIGTERM."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import psutil
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from PIL import Image

from embedded_aws import client
from embedded_aws.errors import EmbeddedAwsError
from training_kit import Training, channel, image, wait_for

pytestmark = pytest.mark.slow

CONTAINER = Path(__file__).parents[5] / "ml" / "container"
# Counts steps in a checkpoint. With "stubborn" it ignores SIGTERM.
PROGRAM = """
import json, os, signal, time
values = json.load(open("/opt/ml/input/config/hyperparameters.json"))
if "stubborn" in values:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
path = "/opt/ml/checkpoints/step"
step = int(open(path).read()) if os.path.exists(path) else 0
print(f"starts at {step};", flush=True)
while step < int(values["steps"]):
    step += 1
    open(path, "w").write(str(step))
    print(f"validation:loss={step}.0", flush=True)
    if step == int(values["pause-at"]):
        time.sleep(600)
open("/opt/ml/model/step", "w").write(str(step))
"""
# The training program, which waits for SIGTERM after its third checkpoint.
WAITING = """
import os, signal, sys, threading
import checkpoint, train
save = checkpoint.save
def save_and_wait(folder, state, run):
    save(folder, state, run)
    if len(state.history) == 3 and "WAITS" in os.environ:
        received, stop = threading.Event(), signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, lambda *caught: (stop(*caught), received.set()))
        print("third checkpoint", flush=True)
        received.wait()
checkpoint.save = save_and_wait
sys.exit(train.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def work(fast_embedded_aws: Any) -> Training:
    return Training(fast_embedded_aws)


def spot(work: Training, folder: str, run: int = 300, wait: int = 300) -> dict[str, Any]:
    """Return the request members of a spot job. folder: of its checkpoints in the bucket."""
    return {
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": f"s3://{work.bucket}/{folder}"},
        "StoppingCondition": {"MaxRuntimeInSeconds": run, "MaxWaitTimeInSeconds": wait},
    }


def start(work: Training, values: dict[str, str], **members: Any) -> str:
    """Start a job and wait for its first log line."""
    name = work.start("", values, **members)
    wait_for(lambda: any(work.log(name).values()))
    return name


def interrupt(work: Training, name: str, seconds: int = 0) -> None:
    client.interrupt(work.aws.home, "us-east-1", name, seconds)


def has_processes(name: str) -> bool:
    """Return whether processes of a training job run."""
    running = psutil.process_iter(["environ"])
    return any((process.info["environ"] or {}).get("TRAINING_JOB_NAME") == name for process in running)


def steps(job: dict[str, Any]) -> list[str]:
    return [step["Status"] for step in job["SecondaryStatusTransitions"]]


def test_interrupted_job_resumes_from_its_checkpoint(work: Training) -> None:
    values = {"steps": "5", "pause-at": "3"}
    name = start(work, values, script=PROGRAM, **spot(work, "resumed"))
    checkpoint = {"Bucket": work.bucket, "Key": "resumed/step"}
    wait_for(lambda: "validation:loss=3.0" in str(work.log(name)))
    interrupt(work, name)
    # On a busy machine it is Starting again by then.
    with pytest.raises(
        EmbeddedAwsError, match=f"{name} is (Interrupted|Starting): it can be interrupted only while"
    ):
        interrupt(work, name)
    described = work.sagemaker.describe_training_job(TrainingJobName=name)
    assert described["TrainingJobStatus"] == "InProgress"
    assert "Interrupted" in steps(described)
    job = work.ended(name)

    assert job["TrainingJobStatus"] == "Completed"
    first, again = ["Starting", "Downloading", "Training"], ["Starting", "Downloading", "Training"]
    assert steps(job) == [*first, "Interrupted", *again, "Uploading", "Completed"]
    assert work.s3.get_object(**checkpoint)["Body"].read() == b"5"
    assert work.archive(job["ModelArtifacts"]["S3ModelArtifacts"]) == {"step": b"5"}
    logs = work.log(name)
    assert len(logs) == 2
    assert sum(line == "starts at 3;" for lines in logs.values() for line in lines) == 1


def test_time_without_instances_is_wait_time_and_not_billed(work: Training) -> None:
    algorithm = image("echo runs; exec sleep 600")
    name = start(work, {}, AlgorithmSpecification=algorithm, **spot(work, "waiting", run=5, wait=5))
    interrupt(work, name, seconds=600)
    job = work.ended(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert steps(job)[-2:] == ["Interrupted", "MaxWaitTimeExceeded"]
    assert "ModelArtifacts" not in job
    waited = job["SecondaryStatusTransitions"][-2]
    whole = (job["TrainingEndTime"] - job["CreationTime"]).total_seconds()
    assert 4.9 <= whole < 20
    training = next(s for s in job["SecondaryStatusTransitions"] if s["Status"] == "Training")
    notice = 2.5
    assert (
        job["TrainingTimeInSeconds"] <= (waited["StartTime"] - training["StartTime"]).total_seconds() + notice
    )


def test_program_that_ignores_the_notice_is_killed_and_stop_ends_the_wait(work: Training) -> None:
    values = {"steps": "3", "pause-at": "3", "stubborn": "yes"}
    name = start(work, values, script=PROGRAM, **spot(work, "stubborn"))
    wait_for(lambda: "validation:loss=3.0" in str(work.log(name)))
    assert has_processes(name)
    interrupt(work, name, seconds=600)
    saved = {"Bucket": work.bucket, "Prefix": "stubborn/"}
    wait_for(lambda: not has_processes(name))
    work.sagemaker.stop_training_job(TrainingJobName=name)
    job = work.ended(name)
    assert job["TrainingJobStatus"] == "Stopped"
    assert steps(job)[3:5] == ["Interrupted", "Stopping"] and steps(job)[-1] == "Stopped"
    assert work.s3.list_objects_v2(**saved)["KeyCount"] == 1
    assert job["TrainingTimeInSeconds"] > job["BillableTimeInSeconds"] >= 1


def test_program_that_ignores_sigterm_is_killed_after_the_grace_period(work: Training) -> None:
    algorithm = image("trap '' TERM; while true; do sleep 1; done")
    job = work.run(AlgorithmSpecification=algorithm, StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert 3 <= job["TrainingTimeInSeconds"] < 20


def test_only_root_interrupts_and_only_spot_jobs(work: Training) -> None:
    name = start(work, {}, AlgorithmSpecification=image("echo runs; exec sleep 600"))
    with pytest.raises(EmbeddedAwsError, match=f"{name} does not run on spot instances"):
        interrupt(work, name)
    with pytest.raises(EmbeddedAwsError, match="There is no training job nobody in us-east-1"):
        interrupt(work, "nobody")
    with pytest.raises(EmbeddedAwsError, match="seconds must be a whole number"):
        interrupt(work, name, seconds=-1)
    url = f"{work.aws.endpoint_url}/_local/interrupt/{name}"
    assert refusal(url, {}) == (403, "MissingAuthenticationTokenException")
    user = work.iam.create_user(UserName="somebody")["User"]["UserName"]
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    work.iam.attach_user_policy(UserName=user, PolicyArn=admin)
    key = work.iam.create_access_key(UserName=user)["AccessKey"]
    signed = AWSRequest("POST", url)
    keys = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    SigV4Auth(keys, "local", "us-east-1").add_auth(signed)
    assert refusal(url, dict(signed.headers)) == (403, "AccessDeniedException")
    work.sagemaker.stop_training_job(TrainingJobName=name)
    work.ended(name)


def refusal(url: str, headers: dict[str, str]) -> tuple[int, str]:
    with pytest.raises(HTTPError) as error:
        urlopen(Request(url, method="POST", headers=headers), timeout=10)
    return error.value.code, error.value.headers["x-amzn-ErrorType"]


def test_interrupted_training_ends_with_the_same_model(work: Training) -> None:
    """Loss and weights equal those of a run that was not interrupted."""
    import torch  # here: importing it takes seconds, also when this test does not run

    random = np.random.default_rng(0)
    for number in range(80):
        label, picture = number % 10, io.BytesIO()
        Image.fromarray(random.integers(0, 25 * (label + 1), (16, 16), dtype=np.uint8)).save(picture, "png")
        split = "valid" if number // 10 % 4 == 0 else "train"
        work.put(f"images/{split}/{label}/{number}.png", picture.getvalue())
    source = io.BytesIO()
    with tarfile.open(fileobj=source, mode="w:gz") as archive:
        for file in CONTAINER.glob("*.py"):
            archive.add(file, file.name)
        member = tarfile.TarInfo("waiting.py")
        member.size = len(WAITING)
        archive.addfile(member, io.BytesIO(WAITING.encode()))
    uri = work.put("code/ours/source.tar.gz", source.getvalue())
    values = {
        "sagemaker_program": "waiting.py",
        "sagemaker_submit_directory": uri,
        "architecture": "small_cnn",
        "image-size": "16",
        "epochs": "4",
        "batch-size": "16",
        "learning-rate": "0.01",
        "seed": "3",
    }
    members = {
        "InputDataConfig": [
            channel(name, f"s3://{work.bucket}/images/{name}") for name in ("train", "valid")
        ],
        "AlgorithmSpecification": {
            **work.request()["AlgorithmSpecification"],
            "MetricDefinitions": [{"Name": "loss", "Regex": r"train:loss=([0-9.]+)"}],
        },
    }
    plain = work.start("", values, **members)
    name = work.start("", values, **members, **spot(work, "image-checkpoints"), Environment={"WAITS": "yes"})
    wait_for(lambda: "third checkpoint" in str(work.log(name)))
    interrupt(work, name)
    jobs = [work.ended(job) for job in (plain, name)]
    assert [job["TrainingJobStatus"] for job in jobs] == ["Completed", "Completed"]
    assert "Interrupted" in steps(jobs[1])
    assert any(line == "resumed after epoch 3" for lines in work.log(name).values() for line in lines)
    assert jobs[0]["FinalMetricDataList"][0]["Value"] == jobs[1]["FinalMetricDataList"][0]["Value"]
    models = [work.archive(job["ModelArtifacts"]["S3ModelArtifacts"])["model.pt"] for job in jobs]
    first, second = (torch.load(io.BytesIO(model), weights_only=True) for model in models)
    assert all(torch.equal(first[key], second[key]) for key in first)
