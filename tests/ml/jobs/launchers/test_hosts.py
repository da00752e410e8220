"""Training hosts in EC2: found by tags or id, and their console output."""

from __future__ import annotations

from types import SimpleNamespace

from ml.jobs.launchers import hosts
from tests.environments import with_clients


def test_console_output_is_limited_to_what_user_data_printed(account, dev):
    assert hosts.console_output(dev, "i-0123456789abcdef0") == []  # EC2 has none
    lines = ["[ 9.1] cloud-init[7]: no network", "[ 9.2] systemd[1]: Reached target Power-Off"]
    ec2 = SimpleNamespace(get_console_output=lambda InstanceId: {"Output": "\n".join(lines)})
    assert hosts.console_output(with_clients(dev, ec2=ec2), "i-1") == lines[:1]


def test_hosts_are_found_by_their_tags_and_by_id(account, dev):
    service = dev.client("ec2")
    image = service.register_image(Name="any")["ImageId"]

    def launch(name: str, **tags: str) -> str:
        given = {
            "Name": name,
            "Project": dev.settings.project,
            "Environment": dev.settings.environment,
            **tags,
        }
        (made,) = service.run_instances(
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.medium",
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in given.items()]}
            ],
        )["Instances"]
        return made["InstanceId"]

    launch("something-else")
    launch(f"{dev.settings.prefix}-host", Environment="prod")
    assert hosts.find(dev) is None
    mine = launch(f"{dev.settings.prefix}-host", Job="job-1", Keep="yes")
    found = hosts.find(dev)
    assert (found.instance_id, found.job, found.keep, found.spot) == (mine, "job-1", True, False)
    assert found == hosts.get(dev, mine) and found.state == "running"
    service.terminate_instances(InstanceIds=[mine])
    assert hosts.find(dev) is None
    assert hosts.get(dev, mine).state == "terminated"
    assert hosts.get(dev, "i-0123456789abcdef0").state == "gone"
