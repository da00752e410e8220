"""What exists, asked of AWS at every point of an environment's life."""

import pytest
from botocore.exceptions import ClientError

from ml.jobs import registry
from ops import outputs as handover
from ops.aws import client
from ops.terraform import stacks
from pipeline import status
from pipeline.workbench import workbench


@pytest.fixture
def live(account, monkeypatch):
    """The endpoint and the function that AWS knows; None for one that is missing."""
    found = {
        "endpoint": {"EndpointStatus": "InService", "ProductionVariants": [{"CurrentInstanceCount": 2}]},
        "function": {
            "Status": "READY",
            "AvailableProvisionedConcurrentExecutions": 1,
            "RequestedProvisionedConcurrentExecutions": 2,
        },
    }

    class Service:
        def describe_endpoint(self, EndpointName):
            if found["endpoint"] is None:
                error = {"Code": "ValidationException", "Message": "Could not find endpoint"}
                raise ClientError({"Error": error}, "DescribeEndpoint")
            return found["endpoint"]

        def get_provisioned_concurrency_config(self, FunctionName, Qualifier):
            if found["function"] is None:
                raise ClientError({"Error": {"Code": "ProvisionedConcurrencyConfigNotFoundException"}}, "Get")
            return found["function"]

    monkeypatch.setattr(
        status,
        "client",
        lambda service, region: Service() if service in ("sagemaker", "lambda") else client(service, region),
    )
    monkeypatch.setattr(registry, "versions", lambda *_: [])
    return found


def test_an_empty_account_has_nothing(moto_aws, dev):
    found = status.collect(dev)
    assert found == {
        "foundation": None,
        "data": None,
        "tuning": None,
        "models": [],
        "endpoints": [],
        "host": None,
        "workbench": None,
        "unfinished": [],
    }
    assert status.rows(dev, found) == [("foundation", "", "none: nothing exists yet")]


def test_what_is_missing_is_said(live, dev):
    assert status.rows(dev, status.collect(dev))[2:] == [
        ("tuning", "", "none"),
        ("model", "", "none"),
        ("endpoint", "", "none"),
    ]


def test_an_environment_in_service(live, account, dev, foundation, serving, monkeypatch):
    account.publish("serving/image-classifier-dev", serving.model_dump())
    handover.write(dev, foundation, "tuning", {"tuning_job": "search", "best_objective": 0.9})
    model = registry.Version(1, "arn", "Approved", None, {"test_accuracy": "0.75", "training_job": "job"})
    monkeypatch.setattr(registry, "versions", lambda *_: [model])
    assert status.rows(dev, status.collect(dev)) == [
        ("foundation", foundation.bucket, "there"),
        ("data", "sample", "10 train, 10 valid, 10 test; 2 classes"),
        ("tuning", "search", "validation accuracy 0.9000"),
        ("model", "version 1", "Approved, test accuracy 0.75"),
        ("endpoint", "image-classifier-dev", "InService, 2 × ml.m5.large, model 1"),
        ("function", "image-classifier-dev-inference:live", "READY, 1 of 2 provisioned"),
    ]


def test_variants_are_told_apart_and_what_is_not_there_is_left_out(live, account, dev, serving):
    package = serving.model_package_arn
    variants = {"AllTraffic": package, "Shadow": f"{package}0"}
    other = {"variants": variants, "hosting": "asynchronous", "function_name": None}
    account.publish("serving/image-classifier-dev", serving.model_copy(update=other).model_dump())
    serverless = {
        "endpoint_name": "image-classifier-dev-tiny",
        "hosting": "serverless",
        "instance_type": None,
    }
    account.publish("serving/image-classifier-dev-tiny", serving.model_copy(update=serverless).model_dump())
    rows = status.rows(dev, status.collect(dev))
    assert (
        "endpoint",
        "image-classifier-dev",
        "InService, 2 × ml.m5.large, model 1 (AllTraffic), 10 (Shadow)",
    ) in rows
    assert ("endpoint", "image-classifier-dev-tiny", "InService, serverless, model 1") in rows
    assert [what for what, _, _ in rows].count("function") == 1


def test_what_was_deleted_behind_our_back_is_missing(live, account, dev, serving):
    account.publish("serving/image-classifier-dev", serving.model_dump())
    live.update(endpoint=None, function=None)
    (endpoint,) = status.collect(dev)["endpoints"]
    assert (endpoint["status"], endpoint["instances"]) == ("missing", 0)
    assert endpoint["provisioned_concurrency"] == "no provisioned concurrency"


def test_what_a_stopped_run_left_is_told(live, account, dev, serving):
    account.publish("serving/image-classifier-dev", serving.model_dump())
    bucket = stacks.ensure_state_bucket(dev)
    for name in ("foundation", "serving/image-classifier-dev", "serving/image-classifier-dev-multi"):
        body = b'{"resources": [{"type": "x"}]}'
        client("s3", dev.region).put_object(Bucket=bucket, Key=f"dev/{name}.tfstate", Body=body)
    found = status.collect(dev)
    assert found["unfinished"] == ["serving/image-classifier-dev-multi"]
    what, name, state = status.rows(dev, found)[-1]
    assert (what, name) == ("serving", "image-classifier-dev-multi")
    assert "./inv down --env dev finishes it" in state
    client("ssm", dev.region).delete_parameter(Name="/image-classifier/dev/foundation")
    assert [what for what, _, _ in status.rows(dev, status.collect(dev))] == [
        "foundation",
        "serving",
        "serving",
    ]


def test_a_host_and_a_workbench_are_told(live, account, dev, monkeypatch):
    monkeypatch.setattr(workbench, "state", lambda settings, there: "asleep")
    ec2 = client("ec2", dev.region)
    tags = {"Project": dev.project, "Environment": dev.environment, "Name": f"{dev.prefix}-host", "Job": "j"}
    (host,) = ec2.run_instances(
        ImageId="ami-12c6146b",
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}
        ],
    )["Instances"]
    made = host["InstanceId"]
    there = {"name": "w", "kind": "studio", "instance_type": "ml.t3.medium", "domain_id": "d-1"}
    account.publish("workbench", there)
    told = [
        ("training host", made, "running, t3.medium"),
        ("workbench", "w", "asleep, studio on ml.t3.medium"),
    ]
    assert [row for row in status.rows(dev, status.collect(dev)) if row in told] == told
    ec2.terminate_instances(InstanceIds=[made])
    assert status.collect(dev)["host"] is None


def test_a_half_made_host_or_workbench_is_finished_by_its_own_tasks(live, account, dev):
    bucket = stacks.ensure_state_bucket(dev)
    for name in ("training_host", "workbench"):
        body = b'{"resources": [{"type": "x"}]}'
        client("s3", dev.region).put_object(Bucket=bucket, Key=f"dev/{name}.tfstate", Body=body)
    host, notebooks = status.rows(dev, status.collect(dev))[-2:]
    assert host[:2] == ("training host", "") and "./inv ec2.down --env dev finishes it" in host[2]
    assert "./inv workbench.up --env dev or ./inv workbench.down --env dev" in notebooks[2]
