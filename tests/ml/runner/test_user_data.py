"""The script of a host, run by instances of the embedded AWS: whatever goes wrong is told, and the host goes."""

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
HOST = Path(ec2.__file__).resolve().parents[2] / "runner"
TRUST = (HOST.parents[1] / "policies" / "trust" / "ec2.json").read_text()


@pytest.fixture(scope="module")
def hosts(embedded_aws, until):
    """`run(script)`: the id of an instance that has the script. `end(id)`: waits for its end, and gives its console."""
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
                for path in sorted(HOST.glob("*.py")):
                    packed.add(path, f"runner/{path.name}")
            s3.put_object(Bucket=BUCKET, Key="host.tar.gz", Body=archive.getvalue())
            self.digest = hashlib.sha256(archive.getvalue()).hexdigest()

        def run(self, script: str) -> str:
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

        def launched(self, identity: str) -> None:
            s3.put_object(Bucket=BUCKET, Key=f"launched/{identity}", Body=b"")

        def state(self, identity: str) -> str:
            found = client.describe_instances(InstanceIds=[identity])["Reservations"][0]["Instances"][0]
            return found["State"]["Name"]

        def console(self, identity: str) -> str:
            return client.get_console_output(InstanceId=identity, Latest=True).get("Output", "")

        def end(self, identity: str) -> str:
            self.launched(identity)
            until(lambda: self.state(identity) == "terminated", 60)
            return self.console(identity)

        def events(self, stream: str) -> list[str]:
            found = self.logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
            return [event["message"] for event in found["events"]]

    return Hosts()


def script(**changes: str) -> str:
    given = {
        "REGION": "us-east-1",
        "JOB": f"s3://{BUCKET}/job.json",
        "JOB_NAME": "job-1",
        "PACKAGES": "torch",
        "HOST_PROGRAM": f"s3://{BUCKET}/host.tar.gz",
        "HOST_DIGEST": "0" * 64,
        "LAUNCHED": f"s3://{BUCKET}/launched/",
        "ENDED": f"s3://{BUCKET}/ended/",
        "LOG_GROUP": GROUP,
        "KMS_KEY": "alias/aws/s3",
        "KEEP": "no",
    }
    return ec2.user_data(**{**given, **changes})


def test_a_program_that_is_not_there_is_told_in_the_log(hosts):
    host = hosts.run(script(HOST_PROGRAM=f"s3://{BUCKET}/nowhere.tar.gz"))
    console = hosts.end(host)
    (told,) = hosts.events(f"job-1/{host}-boot")
    assert told.startswith(f"s3://{BUCKET}/nowhere.tar.gz could not be fetched: ") and "404" in told
    assert told.split("\n")[0] in console


def test_a_program_that_somebody_has_changed_does_not_run(hosts):
    host = hosts.run(script())
    console = hosts.end(host)
    (told,) = hosts.events(f"job-1/{host}-boot")
    assert told.startswith(f"s3://{BUCKET}/host.tar.gz is not what was asked for")
    assert "Traceback" not in console


def test_a_program_that_fails_before_its_log_begins_is_told_in_the_log(hosts):
    host = hosts.run(script(HOST_DIGEST=hosts.digest, JOB=f"s3://{BUCKET}/nowhere.json"))
    hosts.end(host)
    (told,) = hosts.events(f"job-1/{host}-boot")
    assert "NoSuchKey" in told


def test_an_image_without_pytorch_that_cannot_get_it_is_told_in_the_log(hosts):
    lacking = script(PACKAGES="no such requirement|").replace('"torch", "torchvision"', '"no_such_module"')
    host = hosts.run(lacking)
    hosts.end(host)
    first, second = hosts.events(f"job-1/{host}-boot")
    assert first == "This image has no environment with PyTorch: making one with no such requirement|."
    assert "could not be made: choose a Deep Learning AMI" in second


def test_a_conda_environment_comes_before_the_system_s_python(hosts):
    conda = "/home/ec2-user/anaconda3/envs/pytorch/bin"
    make = f"mkdir -p {conda} && printf '#!/bin/sh\\nexec python3 \"$@\"\\n' > {conda}/python && chmod +x {conda}/python"
    host = hosts.run(
        script(HOST_PROGRAM=f"s3://{BUCKET}/nowhere.tar.gz").replace("set -uo pipefail", make, 1)
    )
    assert f"PyTorch's environment: {conda}/python" in hosts.end(host)


def test_a_job_runs_and_the_host_waits_until_it_was_seen(hosts, until):
    """And with KEEP it stays."""
    described = job(
        kms_key_arn="alias/aws/s3",
        log_group=GROUP,
        output=f"s3://{BUCKET}/training/job-1/",
        checkpoints=f"s3://{BUCKET}/checkpoints/",
        channels={"train": f"s3://{BUCKET}/nowhere/"},
        source=f"s3://{BUCKET}/host.tar.gz",
        source_digest=hosts.digest,
    )
    hosts.s3.put_object(Bucket=BUCKET, Key="job.json", Body=described.to_json().encode())
    host, kept = (hosts.run(script(HOST_DIGEST=hosts.digest, KEEP=keep)) for keep in ("no", "yes"))
    ended = f"job-1 Failed: channel train is empty: there is nothing below s3://{BUCKET}/nowhere/"
    for identity in (host, kept):
        until(lambda identity=identity: ended in hosts.console(identity), 60)
    assert hosts.state(host) == "running"
    hosts.end(host)
    assert hosts.events(f"job-1/{host}") == [f"job-1 on {host}, t3.medium, on demand", ended]
    status = json.loads(hosts.s3.get_object(Bucket=BUCKET, Key="training/job-1/status.json")["Body"].read())
    assert (status["status"], status["stage"]) == ("Failed", "Failed")
    until(lambda: "The host stays, as asked for." in hosts.console(kept))
    assert hosts.s3.get_object(Bucket=BUCKET, Key=f"ended/{kept}")["Body"].read() == b"1\n"
    assert hosts.state(kept) == "running"
    hosts.ec2.terminate_instances(InstanceIds=[kept])
