"""EC2 instances through boto3 against the running embedded AWS."""

from __future__ import annotations

import json
import os
import uuid
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from events_kit import ACCOUNT, Queue, Rule

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
OURS = f".{os.getpid()}"  # fraction of a second, by which a sleep is known as one of this run
WATCH = """#!/usr/bin/env python3
import os, signal, time, urllib.error, urllib.request
notice = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] + "/latest/meta-data/spot/instance-action"
print("watching", flush=True)
while True:
    try:
        print("NOTICE", urllib.request.urlopen(notice).read().decode(), flush=True)
        break
    except urllib.error.HTTPError:
        time.sleep(0.05)
time.sleep(60)
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
            "ImageId": self.image,
            "InstanceType": "t3.medium",
            "MinCount": 1,
            "MaxCount": 1,
            "UserData": user_data,
        } | settings
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
    script = (
        f"#!/bin/bash\nsetsid sleep 3600{OURS} & disown; (env -i setsid sleep 3601{OURS} &) ; echo ready; "
        f"sleep 3602{OURS}"
    )
    instance = instances.run(script)
    instances.wait_for(instance, "ready")
    assert sleepers() == {"3600", "3601", "3602"}
    change = instances.ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    assert instances.wait(instance, "stopped")["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert sleepers() == set()


def sleepers() -> set[str]:
    """The whole seconds of the `sleep` processes that instances of this run of the tests have started."""
    found = set()
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().decode().split("\0")
        except OSError:
            continue
        if words[0].endswith("sleep") and words[1].endswith(OURS):
            found.add(words[1].removesuffix(OURS))
    return found


def test_reboot_ends_the_processes_and_runs_what_runs_at_every_boot(instances):
    parts = MIMEMultipart()
    parts.attach(MIMEText("#!/bin/sh\necho once\n", "x-shellscript"))
    parts.attach(MIMEText(f"#!/bin/sh\necho each boot; sleep 3609{OURS} &\n", "x-shellscript-per-boot"))
    instance = instances.run(parts.as_string())
    console = instances.wait_for(instance, "once\n")
    assert console.index("each boot") < console.index("once\n")
    instances.ec2.reboot_instances(InstanceIds=[instance])
    console = instances.until(lambda: (c := instances.console(instance)).count("each boot") == 2 and c)
    assert console.count("once\n") == 1
    assert instances.state(instance) == "running" and sleepers() == {"3609"}
    instances.ec2.terminate_instances(InstanceIds=[instance])
    instances.until(lambda: not sleepers())


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"UserData": "#cloud-config\npackages: [git]"}, "NotImplementedException"),
        ({"UserData": "#!/bin/sh\n" + "#" * 16_384}, "InvalidParameterValue"),
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"InstanceType": "t3.enormous"}, "InvalidParameterValue"),
        ({"IamInstanceProfile": {"Name": "missing"}}, "InvalidParameterValue"),
        (
            {
                "InstanceMarketOptions": {
                    "MarketType": "spot",
                    "SpotOptions": {"SpotInstanceType": "persistent"},
                }
            },
            "NotImplementedException",
        ),
    ],
)
def test_run_instances_refuses_what_would_not_run(instances, settings, code):
    with pytest.raises(ClientError) as error:
        instances.run(**settings)
    assert error.value.response["Error"]["Code"] == code


def test_state_that_does_not_allow_a_change_is_told(instances):
    instance = instances.run()
    instances.wait(instance, "running")
    instances.ec2.modify_instance_attribute(
        InstanceId=instance, InstanceInitiatedShutdownBehavior={"Value": "terminate"}
    )
    assert instances.describe(instance)["SecurityGroups"]
    monitored = instances.ec2.monitor_instances(InstanceIds=[instance])["InstanceMonitorings"]
    assert monitored[0]["Monitoring"] == {"State": "enabled"}
    instances.ec2.terminate_instances(InstanceIds=[instance])
    instances.wait(instance, "terminated")
    for call in (instances.ec2.start_instances, instances.ec2.stop_instances):
        with pytest.raises(ClientError, match="IncorrectInstanceState"):
            call(InstanceIds=[instance])


def test_deep_learning_ami_is_found_by_parameter_and_by_name(instances):
    name = "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.7-amazon-linux-2023/latest/ami-id"
    image = instances.aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    pattern = "Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.7 (Amazon Linux 2023) *"
    filters = [{"Name": "name", "Values": [pattern]}]
    (found,) = instances.ec2.describe_images(Owners=["amazon"], Filters=filters)["Images"]
    assert (found["ImageId"], found["RootDeviceName"]) == (image, "/dev/xvda")


@pytest.mark.slow
def test_spot_interruption_and_restart_of_the_embedded_aws(new_embedded_aws, until):
    aws = new_embedded_aws(time_scale=60)
    instances = Instances(aws, until)
    queue = Queue(aws)
    Rule(aws, {"source": ["aws.ec2"]}, {"Arn": queue.arn})
    spot = instances.run(WATCH, InstanceMarketOptions={"MarketType": "spot"})
    instances.wait_for(spot, "watching")
    with pytest.raises(ClientError, match="UnsupportedOperation"):
        instances.ec2.stop_instances(InstanceIds=[spot])
    assert interrupt(aws, spot) == 200
    assert '"action": "terminate"' in instances.wait_for(spot, "NOTICE")
    assert instances.wait(spot, "terminated")["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    until(lambda: len(queue.messages) == 5)
    told = {m["detail-type"]: m for m in queue.messages}
    warning = told["EC2 Spot Instance Interruption Warning"]
    assert warning["detail"] == {"instance-id": spot, "instance-action": "terminate"}
    changes = [m for m in queue.messages if m["detail-type"] == "EC2 Instance State-change Notification"]
    assert {m["detail"]["state"] for m in changes} == {"pending", "running", "shutting-down", "terminated"}
    assert {m["resources"][0] for m in changes} == {f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{spot}"}
    kept = instances.run(f"#!/bin/sh\ntouch ~/kept; ls ~; sleep 3610{OURS}")
    lost = instances.run(f"#!/bin/sh\nsleep 3611{OURS}", InstanceInitiatedShutdownBehavior="terminate")
    until(lambda: sleepers() == {"3610", "3611"})
    aws.restart()
    assert not sleepers()
    assert (instances.state(kept), instances.state(lost)) == ("stopped", "terminated")
    assert instances.describe(kept)["StateReason"]["Code"] == "Server.InternalError"
    until(lambda: {"instance-id": kept, "state": "stopped"} in [m["detail"] for m in queue.messages])
    instances.ec2.start_instances(InstanceIds=[kept])
    instances.wait(kept, "running")
    until(lambda: instances.console(kept).count("boots") == 2)
    assert not sleepers()
    assert interrupt(aws, kept) == 400


def interrupt(aws, instance: str) -> int:
    """The status of a request, signed by root, to take a Spot Instance away."""
    url = f"{aws.endpoint_url}/_local/interrupt/{instance}"
    keys = aws.credentials
    request = AWSRequest("POST", url)
    credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "local", "us-east-1").add_auth(request)
    return URLLib3Session().send(request.prepare()).status_code
