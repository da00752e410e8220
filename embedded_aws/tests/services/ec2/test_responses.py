"""Checks of EC2's requests on the running embedded AWS."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from instances_kit import Instances


@pytest.fixture(scope="module")
def instances(embedded_aws, until):
    runner = Instances(embedded_aws, until)
    yield runner
    if runner.started:
        runner.ec2.terminate_instances(InstanceIds=runner.started)


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
def test_run_instances_refuses_unsupported_settings(instances, settings, code):
    with pytest.raises(ClientError) as error:
        instances.run(**settings)
    assert error.value.response["Error"]["Code"] == code


def test_terminated_instance_cannot_be_started_or_stopped(instances):
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


def test_deep_learning_ami_has_the_same_id_by_parameter_and_by_name(instances):
    name = "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.7-amazon-linux-2023/latest/ami-id"
    image = instances.aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
    pattern = "Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.7 (Amazon Linux 2023) *"
    filters = [{"Name": "name", "Values": [pattern]}]
    (found,) = instances.ec2.describe_images(Owners=["amazon"], Filters=filters)["Images"]
    assert (found["ImageId"], found["RootDeviceName"]) == (image, "/dev/xvda")
