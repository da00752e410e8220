"""Everything that ran when the embedded AWS was killed or stopped ends with it, and resumes at the next start."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest

from functions_kit import Functions
from hosting_kit import Hosting, variant
from training_kit import Training, wait_for
from tuning_kit import Tuner

pytestmark = pytest.mark.slow

# Counts its starts in a checkpoint, and ends at the third.
PROGRAM = """
import os, time
path = "/opt/ml/checkpoints/starts"
starts = int(open(path).read()) + 1 if os.path.exists(path) else 1
open(path, "w").write(str(starts))
print(f"validation:loss={starts}.0", flush=True)
if starts < 3:
    time.sleep(600)
"""
# Counts its starts in S3, as a processing job has no checkpoint, and ends at the third.
COUNTER = """
import boto3, sys, time
s3 = boto3.client("s3")
s3.put_object(Bucket=sys.argv[1], Key=f"processing/{time.time_ns()}")
if s3.list_objects_v2(Bucket=sys.argv[1], Prefix="processing/")["KeyCount"] < 3:
    time.sleep(600)
"""
SLEEPER = "#!/bin/sh\necho sleeps now\nexec sleep 600\n"


def _descendants(pid: int) -> set[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found, before = {pid}, 0
    while len(found) > before:
        before = len(found)
        found |= {child for child, parent in parents if parent in found}
    return found - {pid}


def _alive(pids: set[int]) -> set[int]:
    """Return the running processes, without zombies."""
    listed = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True, check=True).stdout
    states = {int(pid): state for pid, state in map(str.split, listed.splitlines())}
    return {pid for pid in pids if not states.get(pid, "Z").startswith("Z")}


class Counting:
    """A processing job that counts its starts."""

    def __init__(self, aws: Any, work: Training) -> None:
        """Start it."""
        self._sagemaker, self._work = aws.client("sagemaker"), work
        source = {"S3Uri": work.put("code/counter.py", COUNTER), "LocalPath": "/opt/ml/processing/code"}
        cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        self._sagemaker.create_processing_job(
            ProcessingJobName="counting",
            RoleArn=work.role_arn,
            AppSpecification={
                "ImageUri": "image:latest",
                "ContainerEntrypoint": ["python3", "/opt/ml/processing/code/counter.py", work.bucket],
            },
            ProcessingInputs=[
                {"InputName": "code", "S3Input": {**source, "S3DataType": "S3Prefix", "S3InputMode": "File"}}
            ],
            ProcessingResources={"ClusterConfig": cluster},
        )

    def starts(self, number: int) -> bool:
        """Return whether it has started so often."""
        listed = self._work.s3.list_objects_v2(Bucket=self._work.bucket, Prefix="processing/")
        return bool(listed["KeyCount"] == number)

    def ended(self) -> str:
        """Wait until it has ended; return its status."""

        def status() -> str:
            job = self._sagemaker.describe_processing_job(ProcessingJobName="counting")
            found: str = job["ProcessingJobStatus"]
            return "" if found in ("InProgress", "Stopping") else found

        return str(wait_for(status))


def test_everything_resumes_after_the_embedded_aws_is_killed(new_embedded_aws: Any) -> None:
    aws = new_embedded_aws()
    work, hosting, functions = Training(aws), Hosting(aws), Functions(aws)
    function = functions.create()
    assert functions.call(function)[0]["version"] == "$LATEST"
    ec2 = aws.client("ec2")
    images = ec2.describe_images(Filters=[{"Name": "name", "Values": ["al2023-ami-*"]}])["Images"]
    (instance,) = ec2.run_instances(
        ImageId=images[0]["ImageId"], InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=SLEEPER
    )["Instances"]
    hosting.model("kept")
    hosting.config("kept", variant("kept"))
    hosting.endpoint("kept", "kept")
    tuner = Tuner(work)
    tuning = tuner.start(tuner.request(static={"epochs": "8"}, number=3))
    name = work.start(script=PROGRAM, CheckpointConfig={"S3Uri": f"s3://{work.bucket}/restart"})
    counting = Counting(aws, work)

    def starts(number: int) -> bool:
        """Return whether the checkpoint counts this number of starts."""
        if not work.s3.list_objects_v2(Bucket=work.bucket, Prefix="restart/starts")["KeyCount"]:
            return False
        return work.s3.get_object(Bucket=work.bucket, Key="restart/starts")["Body"].read() == b"%d" % number

    wait_for(lambda: starts(1) and counting.starts(1))
    wait_for(lambda: "sleeps now" in ec2.get_console_output(InstanceId=instance["InstanceId"])["Output"])
    before = [trial["TrainingJobName"] for trial in tuner.trials(tuning)]
    children = _descendants(aws.address.pid)
    assert len(children) >= 5  # at least the guardian, and one for each service

    os.kill(aws.address.pid, signal.SIGKILL)
    wait_for(lambda: not _alive(children))
    aws.restart()
    assert hosting.ask("kept")["version"] == "1"  # waits until the instance is healthy
    assert hosting.stable("kept")["EndpointStatus"] == "InService"
    assert functions.call(function)[0]["version"] == "$LATEST"
    (reservation,) = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"]
    (described,) = reservation["Instances"]
    assert (described["State"]["Name"], described["StateReason"]["Code"]) == (
        "stopped",
        "Server.InternalError",
    )

    wait_for(lambda: starts(2) and counting.starts(2))
    children = _descendants(aws.address.pid)
    aws.restart()  # a regular stop
    assert not _alive(children)
    job = work.ended(name)
    assert job["TrainingJobStatus"] == "Completed"
    assert job["FinalMetricDataList"][0]["Value"] == 3.0
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]].count("Restarting") == 2

    assert (counting.ended(), counting.starts(3)) == ("Completed", True)

    description = tuner.ended(tuning)
    assert description["HyperParameterTuningJobStatus"] == "Completed"
    assert description["TrainingJobStatusCounters"]["Completed"] == 3
    trials = tuner.trials(tuning)
    assert {trial["TrainingJobName"] for trial in trials} >= set(before)
    assert len({trial["TunedHyperParameters"]["rate"] for trial in trials}) == 3
