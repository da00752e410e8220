"""What stack serving must know: kept configurations, live configuration, instance counts, alarms."""

import pytest
from botocore.exceptions import ClientError

from ops import endpoint_history
from tests.environments import with_clients, with_settings

PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"
ENDPOINT = "image-classifier-dev"
ROLE = "arn:aws:iam::123456789012:role/image-classifier-dev-endpoint"


def configuration(version: int) -> dict:
    """Return a kept configuration that serves a model version, as stack serving describes it."""
    return {
        "key": f"{version:08x}",
        "execution_role_arn": ROLE,
        "network_isolation": True,
        "kms_key_arn": "arn:key",
        "network": None,
        "data_capture": None,
        "asynchronous": None,
        "variants": [
            {
                "name": "AllTraffic",
                "model_name": f"{ENDPOINT}-model{version}",
                "model_package_arn": f"{PACKAGE}/{version}",
                "weight": 100,
                "shadow": False,
                "instance_type": "ml.m5.large",
                "instance_count": 1,
                "serverless": None,
            }
        ],
    }


def publish(account, *versions: int) -> list[dict]:
    """Publish kept configurations that serve these model versions, newest first."""
    value = [configuration(version) for version in versions]
    account.publish(f"endpoint_history/{ENDPOINT}", value)
    return value


class SageMaker:
    """An endpoint that serves a version: in service, with three instances."""

    def __init__(self, version: int):
        self.config = f"{ENDPOINT}-{version:08x}"
        self.described = {
            "ProductionVariants": [
                {
                    "VariantName": "AllTraffic",
                    "ModelName": f"{ENDPOINT}-model{version}",
                    "InitialVariantWeight": 100.0,
                    "InstanceType": "ml.m5.large",
                    "InitialInstanceCount": 1,
                }
            ],
            "KmsKeyId": "arn:key",
        }
        self.model = {
            "ExecutionRoleArn": ROLE,
            "EnableNetworkIsolation": True,
            "PrimaryContainer": {"ModelPackageName": f"{PACKAGE}/{version}"},
        }

    def describe_endpoint(self, EndpointName):
        assert EndpointName == ENDPOINT
        return {
            "EndpointStatus": "InService",
            "EndpointConfigName": self.config,
            "ProductionVariants": [
                {"VariantName": "AllTraffic", "DesiredInstanceCount": 3},
                {"VariantName": "Serverless"},
            ],
            "LastDeploymentConfig": {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "old"}]}},
        }

    def describe_endpoint_config(self, EndpointConfigName):
        assert EndpointConfigName == self.config
        if self.described is None:
            raise ClientError(
                {"Error": {"Code": "ValidationException", "Message": "Could not find it."}}, "Describe"
            )
        return self.described

    def describe_model(self, ModelName):
        return self.model


def test_a_new_endpoint_has_no_history(account, dev):
    assert endpoint_history.deployed(dev, ENDPOINT) == {"kept_configurations": [], "alarms_in_alarm": []}


def test_the_live_configuration_is_returned_with_its_instance_counts_and_alarms(account, dev):
    kept = publish(account, 2, 1)
    assert endpoint_history.deployed(with_clients(dev, sagemaker=SageMaker(1)), ENDPOINT) == {
        "kept_configurations": kept,
        "alarms_in_alarm": [],
        "live": "00000001",
        "instance_counts": {"AllTraffic": 3},
        "rollback_alarm_names": ["old"],
    }


def test_a_refusal_is_not_mistaken_for_a_new_endpoint(account, dev):
    class Refusing:
        def describe_endpoint(self, **_):
            raise ClientError(
                {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeEndpoint"
            )

    with pytest.raises(ClientError, match="AccessDenied"):
        endpoint_history.deployed(with_clients(dev, sagemaker=Refusing()), ENDPOINT)


@pytest.mark.parametrize(
    "content", [None, "{", '"x"', "[]", '[{"key": "1"}]', '[{"key": "1", "variants": []}]']
)
def test_the_live_configuration_is_kept_without_a_history(account, dev, content):
    """After an interrupted deployment, or with a lost or damaged parameter: else Terraform would delete it."""
    if content is not None:
        name = f"/image-classifier/dev/endpoint_history/{ENDPOINT}"
        dev.client("ssm").put_parameter(Name=name, Value=content, Type="String")
    found = endpoint_history.deployed(with_clients(dev, sagemaker=SageMaker(2)), ENDPOINT)
    assert found["kept_configurations"] == [configuration(2)]
    assert found["live"] == "00000002"


def test_the_live_configuration_is_added_to_an_older_history(account, dev):
    older = publish(account, 1)
    found = endpoint_history.deployed(with_clients(dev, sagemaker=SageMaker(2)), ENDPOINT)
    assert found["kept_configurations"] == [configuration(2), *older]


def test_every_kind_of_hosting_is_read_back(account, dev):
    sagemaker = SageMaker(2)
    sagemaker.model["VpcConfig"] = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    sagemaker.described["DataCaptureConfig"] = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 10,
        "DestinationS3Uri": "s3://bucket/capture",
        "KmsKeyId": "arn:key",
    }
    sagemaker.described["AsyncInferenceConfig"] = {
        "OutputConfig": {"S3OutputPath": "s3://b/o", "S3FailurePath": "s3://b/f", "KmsKeyId": "arn:key"},
        "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 4},
    }
    shadow = {"VariantName": "Shadow", "ModelName": "m", "InitialVariantWeight": 25.0}
    serverless = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    sagemaker.described["ShadowProductionVariants"] = [{**shadow, "ServerlessConfig": serverless}]
    (found,) = endpoint_history.deployed(with_clients(dev, sagemaker=sagemaker), ENDPOINT)[
        "kept_configurations"
    ]
    assert found["network"] == {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}
    capture = {"uri": "s3://bucket/capture", "kms_key_arn": "arn:key", "sampling_percentage": 10}
    assert found["data_capture"] == capture
    assert found["asynchronous"] == {
        "output_uri": "s3://b/o",
        "failure_uri": "s3://b/f",
        "kms_key_arn": "arn:key",
        "max_concurrent_invocations_per_instance": 4,
        "success_topic_arn": None,
        "error_topic_arn": None,
    }
    memory = {"memory_mb": 2048, "max_concurrency": 5, "provisioned_concurrency": 0}
    assert found["variants"][1]["shadow"] and found["variants"][1]["serverless"] == memory


def test_a_configuration_that_is_not_ours_or_is_deleted_is_not_kept(account, dev):
    sagemaker = SageMaker(2)
    sagemaker.model["PrimaryContainer"] = {"Image": "x"}
    env = with_clients(dev, sagemaker=sagemaker)
    assert endpoint_history.deployed(env, ENDPOINT)["kept_configurations"] == []
    sagemaker.described = None
    assert endpoint_history.deployed(env, ENDPOINT)["kept_configurations"] == []
    sagemaker.config = "somebody-elses"
    assert endpoint_history.deployed(env, ENDPOINT)["kept_configurations"] == []


def test_alarms_that_are_in_alarm_are_found(account, dev):
    cloudwatch = dev.client("cloudwatch")
    for name in ("orders", "quiet"):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="n",
            MetricName="m",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
        )
    cloudwatch.set_alarm_state(AlarmName="orders", StateValue="ALARM", StateReason="test")
    names = ["orders", "quiet", "missing"]
    env = with_settings(
        dev,
        serving={
            "deployment": dev.settings.serving.deployment.model_copy(update={"rollback_alarm_names": names})
        },
    )
    assert endpoint_history.deployed(env, ENDPOINT)["alarms_in_alarm"] == ["orders"]


def test_a_caller_who_may_not_read_alarms_can_deploy(dev):
    class Refusing:
        def describe_alarms(self, **_):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarms")

    assert endpoint_history.alarms_in_alarm(with_clients(dev, cloudwatch=Refusing()), ["a"]) == []
