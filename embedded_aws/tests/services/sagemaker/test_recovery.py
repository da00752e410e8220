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

    def starts(number: int) -> bool:
        """Return whether the checkpoint counts this number of starts."""
        if not work.s3.list_objects_v2(Bucket=work.bucket, Prefix="restart/starts")["KeyCount"]:
            return False
        return work.s3.get_object(Bucket=work.bucket, Key="restart/starts")["Body"].read() == b"%d" % number

    wait_for(lambda: starts(1))
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

    wait_for(lambda: starts(2))
    children = _descendants(aws.address.pid)
    aws.restart()  # a regular stop
    assert not _alive(children)
    job = work.ended(name)
    assert job["TrainingJobStatus"] == "Completed"
    assert job["FinalMetricDataList"][0]["Value"] == 3.0
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]].count("Restarting") == 2

    description = tuner.ended(tuning)
    assert description["HyperParameterTuningJobStatus"] == "Completed"
    assert description["TrainingJobStatusCounters"]["Completed"] == 3
    trials = tuner.trials(tuning)
    assert {trial["TrainingJobName"] for trial in trials} >= set(before)
    assert len({trial["TunedHyperParameters"]["rate"] for trial in trials}) == 3
