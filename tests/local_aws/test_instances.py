"""EC2 instances through boto3 against the running embedded AWS."""

from __future__ import annotations

import json
import os
import uuid

import pytest

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
METADATA = """
token=$(python - <<'END'
import os, urllib.request
request = urllib.request.Request(os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] + "/latest/api/token",
                                 method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
print(urllib.request.urlopen(request).read().decode())
END
)
"""


class Instances:
    """Runs instances, with profiles and names of their own."""

    def __init__(self, aws, until):
        self.aws, self.ec2, self.iam, self.until = aws, aws.client("ec2"), aws.client("iam"), until
        images = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["al2023-ami-*"]}])["Images"]
        self.image = images[0]["ImageId"]
        self.started: list[str] = []

    def run(self, user_data: str | bytes = "", **settings) -> str:
        """The id of an instance that runs user data."""
        arguments = {
            "ImageId": self.image, "InstanceType": "t3.medium", "MinCount": 1, "MaxCount": 1, "UserData": user_data,
        } | settings  # fmt: skip
        (instance,) = self.ec2.run_instances(**arguments)["Instances"]
        assert instance["State"]["Name"] == "pending"
        self.started.append(instance["InstanceId"])
        return instance["InstanceId"]

    def describe(self, instance: str) -> dict:
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def state(self, instance: str) -> str:
        return self.describe(instance)["State"]["Name"]

    def wait(self, instance: str, state: str) -> dict:
        self.until(lambda: self.state(instance) == state)
        return self.describe(instance)

    def console(self, instance: str) -> str:
        return self.ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")

    def wait_for(self, instance: str, text: str) -> str:
        """The console output once it has `text`."""
        return self.until(lambda: text in (found := self.console(instance)) and found)

    def profile(self, actions: list[str], trust: dict = TRUST) -> str:
        name = f"host-{uuid.uuid4().hex[:8]}"
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
        self.iam.create_instance_profile(InstanceProfileName=name)
        self.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return name


@pytest.fixture(scope="module")
def instances(embedded_aws, until):
    made = Instances(embedded_aws, until)
    yield made
    if made.started:
        made.ec2.terminate_instances(InstanceIds=made.started)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_user_data_runs_with_folders_of_its_own(instances):
    script = (
        "#!/bin/bash\necho home=$HOME cwd=$PWD; touch $HOME/mine /tmp/mine-$$ && echo $((6 * 7)); "
        "env | grep -c ^AWS_; exit 3"
    )
    instance = instances.run(script)
    console = instances.wait_for(instance, "user data failed")
    assert "\n42\n2\n" in console and "user data exited with status 3" in console
    home = console.split("home=")[1].split()[0]
    assert home != os.environ["HOME"] or home == "/root"
    assert not os.path.exists(os.path.join(os.environ["HOME"], "mine"))
    assert instances.state(instance) == "running"  # a host stays when its user data has ended


def test_powering_off_stops_it_and_user_data_is_not_run_again(instances):
    instance = instances.run("#!/bin/sh\necho first boot\nsudo shutdown -h now\nsleep 60")
    stopped = instances.wait(instance, "stopped")
    assert stopped["StateReason"] == {
        "Code": "Client.InstanceInitiatedShutdown",
        "Message": "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
    }
    change = instances.ec2.start_instances(InstanceIds=[instance])["StartingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("stopped", "pending")
    instances.wait(instance, "running")
    console = instances.until(lambda: (c := instances.console(instance)).count("boots") == 2 and c)
    assert console.count("first boot") == 1
    instances.ec2.terminate_instances(InstanceIds=[instance])
    ended = instances.wait(instance, "terminated")
    assert ended["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert "first boot" in instances.console(instance)


def test_powering_off_terminates_where_the_instance_says_so(instances):
    instance = instances.run(
        "#!/bin/sh\n/sbin/poweroff || poweroff\nsleep 60", InstanceInitiatedShutdownBehavior="terminate"
    )
    assert instances.wait(instance, "terminated")["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_boto3_finds_the_profiles_credentials_and_no_more_rights(instances):
    script = """#!/usr/bin/env python3
import boto3, json
session = boto3.Session(region_name="us-east-1")
print("METHOD", session.get_credentials().method)
print("ARN", session.client("sts").get_caller_identity()["Arn"])
print("REGIONS", len(session.client("ec2").describe_regions()["Regions"]))
try:
    session.client("iam").list_users()
except Exception as error:
    print("DENIED", error)
"""
    profile = instances.profile(["ec2:DescribeRegions"])
    instance = instances.run(
        script, IamInstanceProfile={"Name": profile}, MetadataOptions={"HttpTokens": "required"}
    )
    console = instances.wait_for(instance, "user data finished")
    assert "METHOD iam-role" in console
    assert f"ARN arn:aws:sts::123456789012:assumed-role/{profile}/{instance}\n" in console
    assert "REGIONS 0" not in console and "REGIONS " in console
    assert "DENIED An error occurred (AccessDenied)" in console


def test_stop_ends_every_process_of_it(instances):
    script = "#!/bin/bash\nsetsid sleep 3600 & disown; (env -i setsid sleep 3601 &) ; echo ready; sleep 3602"
    instance = instances.run(script)
    instances.wait_for(instance, "ready")
    assert sleepers() == {"3600", "3601", "3602"}
    change = instances.ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    assert instances.wait(instance, "stopped")["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert sleepers() == set()


def sleepers() -> set[str]:
    """The arguments of the `sleep` processes that the tests' instances started."""
    found = set()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().decode().split("\0")
        except OSError:
            continue
        if words[0].endswith("sleep") and words[1].startswith("36"):
            found.add(words[1])
    return found
