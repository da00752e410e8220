"""The user data of a training host, run by instances of the embedded AWS: it logs every failure and shuts down."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from ml.jobs.launchers import ec2
from tests.ml.runner.conftest import job

pytestmark = pytest.mark.slow

BUCKET, GROUP, PROFILE = "user-data-test", "/user-data/test/ec2", "user-data-test"
RUNNER = Path(ec2.__file__).resolve().parents[2] / "runner"
TRUST = (RUNNER.parents[1] / "policies" / "trust" / "ec2.json").read_text()


@pytest.fixture(scope="module")
def hosts(embedded_aws, until):
    """Launch instances with user data, and read their state, console and log."""
    iam, s3 = embedded_aws.client("iam"), embedded_aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    embedded_aws.client("logs").create_log_group(logGroupName=GROUP)
    allowed = {"Effect": "Allow", "Action": ["s3:*", "logs:*"], "Resource": "*"}
    iam.create_role(RoleName=PROFILE, AssumeRolePolicyDocument=TRUST)
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName=PROFILE, PolicyName="p", PolicyDocument=document)
    iam.create_instance_profile(InstanceProfileName=PROFILE)
    iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName=PROFILE)
    client = embedded_aws.client("ec2")
    image = client.describe_images(Filters=[{"Name": "name", "Values": ["al2023-ami-*"]}])["Images"][0][
        "ImageId"
    ]

    class Hosts:
        def __init__(self):
            self.s3, self.ec2, self.logs = s3, client, embedded_aws.client("logs")
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w:gz") as packed:
                for path in sorted(RUNNER.glob("*.py")):
                    packed.add(path, f"runner/{path.name}")
            s3.put_object(Bucket=BUCKET, Key="runner.tar.gz", Body=archive.getvalue())
            self.digest = hashlib.sha256(archive.getvalue()).hexdigest()

        def run(self, script: str) -> str:
            """Launch an instance with the script as user data. Returns its ID."""
            (made,) = client.run_instances(
                ImageId=image,
                InstanceType="t3.medium",
                MinCount=1,
                MaxCount=1,
                UserData=script,
                IamInstanceProfile={"Name": PROFILE},
                InstanceInitiatedShutdownBehavior="terminate",
                MetadataOptions={"HttpTokens": "required"},
            )["Instances"]
            return made["InstanceId"]

        def state(self, instance_id: str) -> str:
            found = client.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]
            return found["State"]["Name"]

        def console(self, instance_id: str) -> str:
            return client.get_console_output(InstanceId=instance_id, Latest=True).get("Output", "")

        def finish(self, instance_id: str) -> str:
            """Let the host shut down, wait until it is terminated, and return its console output."""
            s3.put_object(Bucket=BUCKET, Key=f"launched/{instance_id}", Body=b"")
            until(lambda: self.state(instance_id) == "terminated", 180)
            return self.console(instance_id)

        def events(self, stream: str) -> list[str]:
            found = self.logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
            return [event["message"] for event in found["events"]]

    return Hosts()


def script(**changes: str) -> str:
    """Return the user data with some variables changed. Its RUNNER_SHA256 is wrong by default."""
    variables = {
        "REGION": "us-east-1",
        "JOB_URI": f"s3://{BUCKET}/job.json",
        "JOB_NAME": "job-1",
        "PIP_PACKAGES": "torch",
        "RUNNER_URI": f"s3://{BUCKET}/runner.tar.gz",
        "RUNNER_SHA256": "0" * 64,
        "LAUNCHED_PREFIX": f"s3://{BUCKET}/launched/",
        "ENDED_PREFIX": f"s3://{BUCKET}/ended/",
        "LOG_GROUP": GROUP,
        "KMS_KEY": "alias/aws/s3",
        "KEEP": "no",
    }
    return ec2.user_data(**{**variables, **changes})


def test_a_missing_runner_is_logged(hosts):
    host = hosts.run(script(RUNNER_URI=f"s3://{BUCKET}/nowhere.tar.gz"))
    console = hosts.finish(host)
    (event,) = hosts.events(f"job-1/{host}-boot")
    assert event.startswith(f"Cannot download s3://{BUCKET}/nowhere.tar.gz: ") and "404" in event
    assert event.split("\n")[0] in console


def test_a_runner_with_another_digest_does_not_run(hosts):
    host = hosts.run(script())
    console = hosts.finish(host)
    (event,) = hosts.events(f"job-1/{host}-boot")
    assert event.startswith(f"s3://{BUCKET}/runner.tar.gz does not have the expected SHA-256")
    assert "Traceback" not in console


def test_a_runner_that_fails_before_its_log_starts_is_logged(hosts):
    host = hosts.run(script(RUNNER_SHA256=hosts.digest, JOB_URI=f"s3://{BUCKET}/nowhere.json"))
    hosts.finish(host)
    (event,) = hosts.events(f"job-1/{host}-boot")
    assert "NoSuchKey" in event


def test_a_failed_installation_of_pytorch_is_logged(hosts):
    without_pytorch = script(PIP_PACKAGES="no such requirement|").replace(
        '"torch", "torchvision"', '"no_such_module"'
    )
    host = hosts.run(without_pytorch)
    hosts.finish(host)
    first, second = hosts.events(f"job-1/{host}-boot")
    assert first == "This image has no Python environment with PyTorch. Installing no such requirement|."
    assert second.startswith("Cannot install no such requirement|: use a Deep Learning AMI")


def test_a_conda_environment_is_preferred_to_the_system_s_python(hosts):
    conda = "/home/ec2-user/anaconda3/envs/pytorch/bin"
    create = f"mkdir -p {conda} && printf '#!/bin/sh\\nexec python3 \"$@\"\\n' > {conda}/python && chmod +x {conda}/python"
    host = hosts.run(
        script(RUNNER_URI=f"s3://{BUCKET}/nowhere.tar.gz").replace("set -uo pipefail", create, 1)
    )
    assert f"Python with PyTorch: {conda}/python" in hosts.finish(host)


def test_a_python_without_tarfile_filters_is_not_used(hosts):
    """Python 3.10.11 and 3.11.3 do not have them. A `tarfile` without attributes replaces theirs here."""
    conda = "/home/ec2-user/anaconda3/envs/pytorch/bin"
    create = (
        f"mkdir -p {conda}/stub && touch {conda}/stub/tarfile.py && "
        f"printf '#!/bin/sh\\nPYTHONPATH={conda}/stub exec python3 \"$@\"\\n' > {conda}/python && chmod +x {conda}/python"
    )
    host = hosts.run(
        script(RUNNER_URI=f"s3://{BUCKET}/nowhere.tar.gz").replace("set -uo pipefail", create, 1)
    )
    assert "Python with PyTorch: python3\n" in hosts.finish(host)


def test_the_host_runs_the_job_and_shuts_down_once_terraform_has_seen_it(hosts, until):
    """A host with KEEP keeps running."""
    description = job(
        kms_key_arn="alias/aws/s3",
        log_group=GROUP,
        output=f"s3://{BUCKET}/training/job-1/",
        checkpoints=f"s3://{BUCKET}/checkpoints/",
        channels={"train": f"s3://{BUCKET}/nowhere/"},
        source=f"s3://{BUCKET}/runner.tar.gz",
        source_digest=hosts.digest,
    )
    hosts.s3.put_object(Bucket=BUCKET, Key="job.json", Body=description.to_json().encode())
    host, kept = (hosts.run(script(RUNNER_SHA256=hosts.digest, KEEP=keep)) for keep in ("no", "yes"))
    ended = f"job-1 Failed: channel train is empty: there are no objects below s3://{BUCKET}/nowhere/"
    for instance_id in (host, kept):
        until(lambda instance_id=instance_id: ended in hosts.console(instance_id), 180)
    assert hosts.state(host) == "running"
    hosts.finish(host)
    assert hosts.events(f"job-1/{host}") == [f"job-1 on {host}, t3.medium, on demand", ended]
    status = json.loads(hosts.s3.get_object(Bucket=BUCKET, Key="training/job-1/status.json")["Body"].read())
    assert (status["status"], status["stage"]) == ("Failed", "Failed")
    until(lambda: "The host keeps running (--keep)." in hosts.console(kept))
    assert hosts.s3.get_object(Bucket=BUCKET, Key=f"ended/{kept}")["Body"].read() == b"1\n"
    assert hosts.state(kept) == "running"
    hosts.ec2.terminate_instances(InstanceIds=[kept])
