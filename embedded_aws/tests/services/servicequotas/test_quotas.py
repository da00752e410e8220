"""Service quotas: values of a new account, changes, refusals beyond them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES

from embedded_aws.errors import EmbeddedAwsError
from embedded_aws.services.servicequotas import quotas
from embedded_aws.services.servicequotas.quotas import Quotas
from hosting_kit import Hosting, serverless, variant

pytestmark = pytest.mark.slow

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@contextmanager
def limits(aws, **services: dict[str, float]) -> Iterator[None]:
    """Set quotas; all others are those of a new account."""
    path = aws.home / "quotas.json"
    before = path.read_text()
    path.write_text(json.dumps(services))
    try:
        yield
    finally:
        path.write_text(before)


def _refused(call, *arguments, **parameters) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture(scope="module")
def aws(embedded_aws):
    """Server with a role `quotas`, a quota of 1 for one GPU type on endpoints, and 8 vCPUs of G instances."""
    embedded_aws.client("iam").create_role(RoleName="quotas", AssumeRolePolicyDocument=TRUST)
    limits = {"sagemaker": {"ml.g5.xlarge for endpoint usage": 1}, "ec2": {"L-DB2E81BA": 8}}
    (embedded_aws.home / "quotas.json").write_text(json.dumps(limits))
    yield embedded_aws
    (embedded_aws.home / "quotas.json").unlink()


def _training(kind: str, count: int = 1, **more) -> dict:
    return {
        "TrainingJobName": "beyond-quota",
        "AlgorithmSpecification": {
            "TrainingImage": "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch:2.13-cpu-amzn2023-sagemaker",
            "TrainingInputMode": "File",
        },
        "RoleArn": "arn:aws:iam::123456789012:role/quotas",
        "OutputDataConfig": {"S3OutputPath": "s3://quotas/output"},
        "ResourceConfig": {"InstanceType": kind, "InstanceCount": count, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **more,
    }


def _quotas(client, service: str, operation: str = "list_service_quotas") -> dict[str, dict]:
    pages = client.get_paginator(operation).paginate(ServiceCode=service)
    return {quota["QuotaName"]: quota for page in pages for quota in page["Quotas"]}


def test_a_new_account_has_no_accelerators_and_enough_other_instances(aws) -> None:
    client = aws.client("service-quotas")
    sagemaker, defaults = (
        _quotas(client, "sagemaker", f"list_{which}service_quotas") for which in ("", "aws_default_")
    )
    assert sagemaker["ml.m5.2xlarge for training job usage"]["Value"] >= 4
    for kind in ("ml.g5.xlarge", "ml.p3.2xlarge", "ml.g4dn.xlarge"):
        for use in ("training job", "spot training job"):
            assert sagemaker[f"{kind} for {use} usage"]["Value"] == 0
    configured = sagemaker["ml.g5.xlarge for endpoint usage"]
    assert configured["Value"] == 1 and defaults[configured["QuotaName"]]["Value"] == 0
    which = {"ServiceCode": "sagemaker", "QuotaCode": configured["QuotaCode"]}
    assert client.get_service_quota(**which)["Quota"] == configured
    assert client.get_aws_default_service_quota(**which)["Quota"]["Value"] == 0
    ec2 = _quotas(client, "ec2")
    assert ec2["Running On-Demand G and VT instances"]["Value"] == 8
    assert _quotas(client, "lambda")["Concurrent executions"]["QuotaCode"] == "L-B99A9384"
    assert _quotas(client, "vpc")
    missing = {"ServiceCode": "sagemaker", "QuotaCode": "L-00000000"}
    assert _refused(client.get_service_quota, **missing)[0] == "NoSuchResourceException"


def test_a_quota_increase_request_stays_pending(aws) -> None:
    client = aws.client("service-quotas")
    quota = {"ServiceCode": "ec2", "QuotaCode": "L-417A185B"}
    made = client.request_service_quota_increase(**quota, DesiredValue=16.0)["RequestedQuota"]
    assert made["Status"] == "PENDING" and made["DesiredValue"] == 16
    assert client.get_requested_service_quota_change(RequestId=made["Id"])["RequestedQuota"] == made
    history = client.list_requested_service_quota_change_history(ServiceCode="ec2")["RequestedQuotas"]
    # Other tests request increases of other quotas.
    assert [request for request in history if request["QuotaCode"] == quota["QuotaCode"]] == [made]
    assert client.get_service_quota(**quota)["Quota"]["Value"] == 0
    assert (
        _refused(client.request_service_quota_increase, **quota, DesiredValue=0.0)[0]
        == "IllegalArgumentException"
    )


def test_training_and_tuning_beyond_the_quota_are_refused(aws) -> None:
    sagemaker = aws.client("sagemaker")
    code, message = _refused(sagemaker.create_training_job, **_training("ml.p3.2xlarge"))
    assert code == "ResourceLimitExceeded"
    assert message.startswith(
        "The account-level service limit 'ml.p3.2xlarge for training job usage' is 0 Instances, with current "
        "utilization of 0 Instances and a request delta of 1 Instances."
    )
    spot = _training(
        "ml.g5.xlarge",
        2,
        EnableManagedSpotTraining=True,
        StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        CheckpointConfig={"S3Uri": "s3://quotas/checkpoints"},
    )
    message = _refused(sagemaker.create_training_job, **spot)[1]
    assert "'ml.g5.xlarge for spot training job usage' is 0" in message and "delta of 2" in message
    definition = {k: v for k, v in _training("ml.m5.large", 5).items() if k != "TrainingJobName"}
    definition["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": "loss=(.*)"}]
    code, message = _refused(
        sagemaker.create_hyper_parameter_tuning_job,
        HyperParameterTuningJobName="over",
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxNumberOfTrainingJobs": 5, "MaxParallelTrainingJobs": 5},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "lr", "MinValue": "0.1", "MaxValue": "1"}]
            },
        },
        TrainingJobDefinition=definition,
    )
    assert code == "ResourceLimitExceeded" and "a request delta of 25 Instances" in message
    with limits(aws, sagemaker={quotas.ALL_TRAINING: 1}):
        message = _refused(sagemaker.create_training_job, **_training("ml.m5.large", 2))[1]
    assert f"'{quotas.ALL_TRAINING}' is 1 Instances" in message and "delta of 2" in message
    assert sagemaker.list_training_jobs(NameContains="beyond-quota")["TrainingJobSummaries"] == []


def test_endpoints_share_a_quota(aws) -> None:
    sagemaker = aws.client("sagemaker")
    Hosting(aws).model("quota")
    for name, count in (("quota-1", 1), ("quota-2", 2)):
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant("quota", count=count, kind="ml.g5.xlarge")]
        )
    code, message = _refused(sagemaker.create_endpoint, EndpointName="quota", EndpointConfigName="quota-2")
    assert code == "ResourceLimitExceeded" and "is 1 Instances, with current utilization of 0" in message
    sagemaker.create_endpoint(EndpointName="quota", EndpointConfigName="quota-1")
    message = _refused(sagemaker.create_endpoint, EndpointName="quota-more", EndpointConfigName="quota-1")[1]
    assert "with current utilization of 1 Instances" in message
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="quota", WaiterConfig={"Delay": 1})
    weights = [{"VariantName": "AllTraffic", "DesiredInstanceCount": 2}]
    resize = {"EndpointName": "quota", "DesiredWeightsAndCapacities": weights}
    assert _refused(sagemaker.update_endpoint_weights_and_capacities, **resize)[0] == "ResourceLimitExceeded"
    update = {"EndpointName": "quota", "EndpointConfigName": "quota-2"}
    assert "a request delta of 2 Instances" in _refused(sagemaker.update_endpoint, **update)[1]
    size = {"Type": "INSTANCE_COUNT", "Value": 1}  # a rolling update needs room for a batch only
    policy = {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 0}}
    message = _refused(sagemaker.update_endpoint, **update, DeploymentConfig=policy)[1]
    assert "a request delta of 1 Instances" in message
    sagemaker.delete_endpoint(EndpointName="quota")


def test_serverless_endpoints_share_their_concurrency(aws) -> None:
    sagemaker = aws.client("sagemaker")
    Hosting(aws).model("quota-serverless", isolated=False)
    for name, concurrency in (("quota-serverless", 1), ("quota-serverless-more", 4)):
        sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[serverless("quota-serverless", concurrency)]
        )
    endpoint = {"EndpointName": "quota-serverless"}
    with limits(aws, sagemaker={quotas.SERVERLESS_CONCURRENCY: 3, quotas.ALL_ENDPOINTS: 0}):
        sagemaker.create_endpoint(**endpoint, EndpointConfigName="quota-serverless")  # needs no instance
        more = {"EndpointConfigName": "quota-serverless-more"}
        code, message = _refused(sagemaker.create_endpoint, EndpointName="quota-serverless-2", **more)
        sagemaker.get_waiter("endpoint_in_service").wait(**endpoint, WaiterConfig={"Delay": 1})
        update = _refused(sagemaker.update_endpoint, **endpoint, **more)[1]
    assert code == "ResourceLimitExceeded"
    assert message.startswith(
        f"The account-level service limit '{quotas.SERVERLESS_CONCURRENCY}' is 3, with "
    )
    assert "with current utilization of 0 and a request delta of 4." in update  # its own is replaced
    sagemaker.delete_endpoint(**endpoint)


def test_instances_of_a_family_share_the_vcpu_quota(aws) -> None:
    ec2 = aws.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    run = {"ImageId": image, "MinCount": 1, "MaxCount": 1}
    code, message = _refused(ec2.run_instances, InstanceType="p4d.24xlarge", **run)
    assert code == "VcpuLimitExceeded" and "current vCPU limit of 0 allows" in message
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
    code, _ = _refused(ec2.run_instances, InstanceType="g5.xlarge", **run, **spot)
    assert code == "MaxSpotInstanceCountExceeded"
    made = ec2.run_instances(InstanceType="g5.xlarge", **run)["Instances"][0]["InstanceId"]
    assert _refused(ec2.run_instances, InstanceType="g5.2xlarge", **run)[0] == "VcpuLimitExceeded"
    ec2.terminate_instances(InstanceIds=[made])


def test_p5_has_a_separate_quota_on_spot_only(aws) -> None:
    ec2 = aws.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    run = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "p5.4xlarge"}
    spot = {"InstanceMarketOptions": {"MarketType": "spot"}}
    with limits(aws, ec2={"L-7212CCBC": 96}):
        assert _refused(ec2.run_instances, **run, **spot)[0] == "MaxSpotInstanceCountExceeded"
    with limits(aws, ec2={"L-C4BD4855": 16}):
        assert _refused(ec2.run_instances, **run)[0] == "VcpuLimitExceeded"
        made = ec2.run_instances(**run, **spot)["Instances"][0]["InstanceId"]
        assert _refused(ec2.run_instances, **run, **spot)[0] == "MaxSpotInstanceCountExceeded"
    ec2.terminate_instances(InstanceIds=[made])


def test_stopped_instances_do_not_count_and_cannot_start_beyond_the_quota(aws, until) -> None:
    ec2 = aws.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    run = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "g5.2xlarge"}

    def state(instance: str) -> str:
        reservations = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
        return reservations[0]["Instances"][0]["State"]["Name"]

    first = ec2.run_instances(**run)["Instances"][0]["InstanceId"]
    until(lambda: state(first) == "running")
    ec2.stop_instances(InstanceIds=[first])
    until(lambda: state(first) == "stopped")
    second = ec2.run_instances(**run)["Instances"][0]["InstanceId"]
    assert _refused(ec2.start_instances, InstanceIds=[first])[0] == "VcpuLimitExceeded"
    ec2.terminate_instances(InstanceIds=[second])
    until(lambda: state(second) == "terminated")
    ec2.start_instances(InstanceIds=[first])
    ec2.terminate_instances(InstanceIds=[first])


def test_the_named_version_of_a_launch_template_decides_the_instance_type(aws) -> None:
    ec2 = aws.client("ec2")
    data = {"ImageId": ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]}
    ec2.create_launch_template(
        LaunchTemplateName="quota", LaunchTemplateData=data | {"InstanceType": "t3.medium"}
    )
    ec2.create_launch_template_version(
        LaunchTemplateName="quota", LaunchTemplateData=data | {"InstanceType": "p5.4xlarge"}
    )
    run = {"MinCount": 1, "MaxCount": 1}
    template = {"LaunchTemplateName": "quota"}
    made = ec2.run_instances(LaunchTemplate=template, **run)["Instances"][0]["InstanceId"]  # its default: 1
    named = template | {"Version": "$Latest"}
    assert _refused(ec2.run_instances, LaunchTemplate=named, **run)[0] == "VcpuLimitExceeded"
    ec2.terminate_instances(InstanceIds=[made])
    ec2.delete_launch_template(**template)


def test_every_instance_type_has_the_quota_that_aws_publishes() -> None:
    def code(kind: str, spot: bool) -> str | None:
        quota = quotas.of_instance_type(kind, spot)
        return quota.code if quota else None

    for kind, both in {
        "t3.medium": ("L-1216C47A", "L-34B43A08"),
        "im4gn.large": ("L-1216C47A", "L-34B43A08"),
        "g5.xlarge": ("L-DB2E81BA", "L-3819A6DF"),
        "gr6.4xlarge": ("L-DB2E81BA", "L-3819A6DF"),
        "vt1.3xlarge": ("L-DB2E81BA", "L-3819A6DF"),
        "p4d.24xlarge": ("L-417A185B", "L-7212CCBC"),
        "p5.48xlarge": ("L-417A185B", "L-C4BD4855"),
        "p6-b200.48xlarge": ("L-417A185B", "L-C4BD4855"),
        "inf2.xlarge": ("L-1945791B", "L-B5D1601B"),
        "trn1.2xlarge": ("L-2C3B7624", "L-6B0D517C"),
        "dl1.24xlarge": ("L-6E869C2A", "L-85EED4F7"),
        "f2.6xlarge": ("L-74FC7D96", "L-88CF9481"),
        "x2gd.medium": ("L-7295265B", "L-E3A00192"),
        "hpc7g.4xlarge": ("L-F7808C92", None),
        "u-6tb1.56xlarge": ("L-43DA4232", None),
        "u7i-12tb.224xlarge": ("L-43DA4232", None),
        "mac2.metal": (None, None),
    }.items():
        assert (code(kind, False), code(kind, True)) == both, kind
    unlimited = {kind for kind in INSTANCE_TYPES if code(kind, spot=False) is None}
    assert unlimited == {kind for kind in INSTANCE_TYPES if kind.startswith("mac")}  # on Dedicated Hosts only


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"sagemaker": {"ml.g5.xlarge for training": 1}}', "'ml.g5.xlarge for training' of 'sagemaker'"),
        ('{"ec2": {"L-DB2E81BA": -1}}', "'L-DB2E81BA' of 'ec2'"),
        ('{"lambda": {"Concurrent executions": 5}}', "'Concurrent executions' of 'lambda'"),
        ("[]", "must map service codes to quotas"),
        ("{", "is not JSON"),
    ],
)
def test_an_invalid_quotas_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    account = Quotas(tmp_path)
    assert account.configured() == {}
    (tmp_path / "quotas.json").write_text(text)
    with pytest.raises(EmbeddedAwsError, match=message):
        account.configured()
