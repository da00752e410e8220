"""States and processes of EC2 instances on the running embedded AWS."""

from __future__ import annotations

import os
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session

from events_kit import ACCOUNT, Queue, Rule
from instances_kit import Instances

OURS = f".{os.getpid()}"  # fraction of a second that marks the sleep commands of this test run


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


@pytest.fixture(scope="module")
def instances(embedded_aws, until):
    runner = Instances(embedded_aws, until)
    yield runner
    if runner.started:
        runner.ec2.terminate_instances(InstanceIds=runner.started)


def test_user_data_runs_in_folders_of_the_instance(instances):
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
    assert instances.state(instance) == "running"  # an instance keeps running after its user data


def test_power_off_stops_the_instance_and_a_start_does_not_repeat_user_data(instances):
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


def test_power_off_terminates_with_that_shutdown_behavior(instances):
    instance = instances.run(
        "#!/bin/sh\n/sbin/poweroff || poweroff\nsleep 60", InstanceInitiatedShutdownBehavior="terminate"
    )
    assert instances.wait(instance, "terminated")["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_boto3_uses_the_credentials_of_the_instance_profile(instances):
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


def test_stop_ends_every_process_of_the_instance(instances):
    script = (
        f"#!/bin/bash\nsetsid sleep 3600{OURS} & disown; (env -i setsid sleep 3601{OURS} &) ; echo ready; "
        f"sleep 3602{OURS}"
    )
    instance = instances.run(script)
    instances.wait_for(instance, "ready")
    instances.until(lambda: sleepers() == {"3600", "3601", "3602"})
    change = instances.ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert (change["PreviousState"]["Name"], change["CurrentState"]["Name"]) == ("running", "stopping")
    assert instances.wait(instance, "stopped")["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert sleepers() == set()


def sleepers() -> set[str]:
    """Return the whole seconds of the `sleep` processes that instances of this test run have started."""
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


def test_reboot_ends_the_processes_and_runs_the_per_boot_scripts(instances):
    parts = MIMEMultipart()
    parts.attach(MIMEText("#!/bin/sh\necho once\n", "x-shellscript"))
    parts.attach(MIMEText(f"#!/bin/sh\necho each boot; sleep 3609{OURS} &\n", "x-shellscript-per-boot"))
    instance = instances.run(parts.as_string())
    console = instances.wait_for(instance, "once\n")
    assert console.index("each boot") < console.index("once\n")
    instances.ec2.reboot_instances(InstanceIds=[instance])
    console = instances.until(lambda: (c := instances.console(instance)).count("each boot") == 2 and c)
    assert console.count("once\n") == 1
    assert instances.state(instance) == "running"
    instances.until(lambda: sleepers() == {"3609"})
    instances.ec2.terminate_instances(InstanceIds=[instance])
    instances.until(lambda: not sleepers())


def test_spot_instance_is_interrupted_and_a_restart_stops_all_instances(new_embedded_aws, until):
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
    by_type = {m["detail-type"]: m for m in queue.messages}
    warning = by_type["EC2 Spot Instance Interruption Warning"]
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
    """Send a request, signed by root, to interrupt a Spot Instance. Returns the HTTP status."""
    url = f"{aws.endpoint_url}/_local/interrupt/{instance}"
    keys = aws.credentials
    request = AWSRequest("POST", url)
    credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(credentials, "local", "us-east-1").add_auth(request)
    return URLLib3Session().send(request.prepare()).status_code
