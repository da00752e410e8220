"""Jobs of the runner: their description and status in S3, the uploaded runner, the user data of a host."""

from __future__ import annotations

import hashlib
import subprocess

import pytest

from ml.jobs.launchers import ec2, jobs_in_s3
from ml.runner.job import Status
from ops.settings.ec2 import HostSettings
from tests.ml.jobs.launchers.cloud import NAME


@pytest.mark.parametrize(
    ("status", "described"),
    [
        (None, None),
        (Status(), {"status": "InProgress", "usable": False}),
        (Status(status="Interrupted"), {"status": "InProgress", "usable": False}),  # will be resumed
        (Status(status="Failed"), {"status": "Failed", "usable": False}),
        (Status(status="Completed"), {"status": "Completed", "usable": False}),  # its artifact is missing
    ],
)
def test_a_job_is_described_by_its_status_in_s3(training, dev, status, described):
    if status:
        key = f"training/{NAME}/status.json"
        dev.client("s3").put_object(Bucket=dev.data_bucket, Key=key, Body=status.to_json().encode())
    assert ec2.Ec2Launcher(dev).describe(NAME) == described


def test_another_instance_type_is_another_job_and_spot_is_not(training, dev):
    def inputs(**host):
        return ec2.Ec2Launcher(dev, HostSettings(**host)).fingerprint_inputs(training)

    assert inputs() == inputs(spot=True, max_minutes=60)
    assert inputs() != inputs(instance_type="g5.xlarge")


def test_the_runner_is_uploaded_once_per_content(training, dev):
    first, second = (jobs_in_s3.upload_runner(dev) for _ in range(2))
    assert first == second
    uri, digest = first
    body = dev.client("s3").get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()
    assert hashlib.sha256(body).hexdigest() == digest
    names = (
        subprocess.run(
            ["tar", "--list", "--gzip"],
            capture_output=True,
            check=True,
            input=body,
        )
        .stdout.decode()
        .split()
    )
    assert {"runner/__main__.py", "runner/attempt.py"} <= set(names)
    assert all(name.startswith("runner/") for name in names)


SETTINGS = (
    "REGION",
    "JOB_URI",
    "JOB_NAME",
    "RUNNER_URI",
    "RUNNER_SHA256",
    "LAUNCHED_PREFIX",
    "ENDED_PREFIX",
    "LOG_GROUP",
    "PIP_PACKAGES",
    "KMS_KEY",
    "KEEP",
)


def test_the_script_is_bash_whatever_its_settings(tmp_path):
    hostile = """it's "$(touch /nowhere/x)" `id` \\ $HOME"""
    values = dict.fromkeys(SETTINGS, hostile)
    script = ec2.user_data(**values)
    assert script.startswith("#!/bin/bash\n")
    subprocess.run(["bash", "-n"], input=script.encode(), check=True)
    settings = "\n".join(line for line in script.splitlines() if line.split("=")[0] in values)
    shown = subprocess.run(
        ["bash", "-c", f'{settings}\nprintf %s "$LOG_GROUP"'], capture_output=True, check=True
    )
    assert shown.stdout.decode() == hostile
