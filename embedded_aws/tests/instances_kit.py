"""What the tests of EC2 instances share."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


class Instances:
    """Runs instances with unique names and instance profiles."""

    def __init__(self, aws: Any, until: Callable[..., Any]) -> None:
        self.aws, self.ec2, self.iam, self.until = aws, aws.client("ec2"), aws.client("iam"), until
        images = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["al2023-ami-*"]}])["Images"]
        self.image = images[0]["ImageId"]
        self.started: list[str] = []

    def run(self, user_data: str | bytes = "", **settings: Any) -> str:
        """Run an instance. Returns its ID."""
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

    def describe(self, instance: str) -> dict[str, Any]:
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]

    def state(self, instance: str) -> str:
        return self.describe(instance)["State"]["Name"]

    def wait(self, instance: str, state: str) -> dict[str, Any]:
        """Wait until an instance is in a state. Returns its description."""
        self.until(lambda: self.state(instance) == state)
        return self.describe(instance)

    def console(self, instance: str) -> str:
        return self.ec2.get_console_output(InstanceId=instance, Latest=True).get("Output", "")

    def wait_for(self, instance: str, text: str) -> str:
        """Wait until the console output has `text`. Returns the output."""
        return self.until(lambda: text in (found := self.console(instance)) and found)

    def profile(self, actions: list[str], trust: dict[str, Any] = TRUST) -> str:
        """Create an instance profile whose role allows actions. Returns its name."""
        name = f"host-{uuid.uuid4().hex[:8]}"
        self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
        self.iam.create_instance_profile(InstanceProfileName=name)
        self.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return name
