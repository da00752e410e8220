"""The status of an environment, at every point of its life."""

import pytest
from botocore.exceptions import ClientError

from ml.jobs import registry, search
from ops import s3
from ops.outputs import OutdatedOutputs
from ops.terraform import state_bucket
from pipeline import status, status_table
from pipeline.workbench import workbench
from tests.environments import with_clients
from tests.ops.test_outputs import WORKBENCH


@pytest.fixture
def live(account, monkeypatch):
    """The descriptions of endpoint and function; None for a missing one."""
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

    monkeypatch.setattr(registry, "versions", lambda *_: [])
    found["service"] = Service()
    return found


@pytest.fixture
def env(dev, live):
    """Environment dev with the live endpoint and function."""
    return with_clients(dev, sagemaker=live["service"], lambda_=live["service"])


def rows(env) -> list[tuple[str, str, str]]:
    return status_table.rows(env.settings, status.collect(env))


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
    assert status_table.rows(dev.settings, found) == [("foundation", "", "none: nothing exists yet")]


def test_missing_parts_are_reported(env):
    assert rows(env)[2:] == [
        ("tuning", "", "none"),
        ("model", "", "none"),
        ("endpoint", "", "none"),
    ]


def test_an_environment_in_service(account, env, foundation, serving, monkeypatch):
    account.publish("serving/image-classifier-dev", serving.model_dump())
    result = search.SearchResult(
        tuning_job="search",
        model={},
        data_hash="h",
        dataset="sample",
        best_training_job="best",
        best_objective=0.9,
        hyperparameters={},
    )
    s3.put(env, search.RESULT, result.model_dump_json().encode())
    model = registry.Version(1, "arn", "Approved", None, {"test_accuracy": "0.75", "training_job": "job"})
    monkeypatch.setattr(registry, "versions", lambda *_: [model])
    assert rows(env) == [
        ("foundation", foundation.bucket, "exists"),
        ("data", "sample", "10 train, 10 valid, 10 test; 2 classes"),
        ("tuning", "search", "validation accuracy 0.9000"),
        ("model", "version 1", "Approved, test accuracy 0.75"),
        ("endpoint", "image-classifier-dev", "InService, 2 × ml.m5.large, model 1"),
        ("function", "image-classifier-dev-inference:live", "READY, 1 of 2 provisioned"),
    ]


def test_variants_are_named_and_missing_functions_left_out(account, env, serving):
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
    found = rows(env)
    assert (
        "endpoint",
        "image-classifier-dev",
        "InService, 2 × ml.m5.large, model 1 (AllTraffic), 10 (Shadow)",
    ) in found
    assert ("endpoint", "image-classifier-dev-tiny", "InService, serverless, model 1") in found
    assert [what for what, _, _ in found].count("function") == 1


def test_an_endpoint_deleted_outside_of_terraform_is_missing(live, account, env, serving):
    account.publish("serving/image-classifier-dev", serving.model_dump())
    live.update(endpoint=None, function=None)
    (endpoint,) = status.collect(env)["endpoints"]
    assert (endpoint["status"], endpoint["instances"]) == ("missing", 0)
    assert endpoint["provisioned_concurrency"] == "no provisioned concurrency"


def test_unfinished_stacks_are_reported(account, env, serving):
    account.publish("serving/image-classifier-dev", serving.model_dump())
    bucket = state_bucket.ensure(env)
    for name in ("foundation", "serving/image-classifier-dev", "serving/image-classifier-dev-multi"):
        body = b'{"resources": [{"type": "x"}]}'
        env.client("s3").put_object(Bucket=bucket, Key=f"dev/{name}.tfstate", Body=body)
    found = status.collect(env)
    assert found["unfinished"] == ["serving/image-classifier-dev-multi"]
    what, name, state = status_table.rows(env.settings, found)[-1]
    assert (what, name) == ("serving", "image-classifier-dev-multi")
    assert "./inv down --env dev finishes it" in state
    env.client("ssm").delete_parameter(Name="/image-classifier/dev/foundation")
    env.outputs.forget()
    assert [what for what, _, _ in rows(env)] == [
        "foundation",
        "serving",
        "serving",
    ]


def test_a_host_and_a_workbench_are_reported(account, env, monkeypatch):
    monkeypatch.setattr(workbench, "state", lambda env, found: "stopped")
    ec2 = env.client("ec2")
    name = "image-classifier-dev-host"
    tags = {"Project": "image-classifier", "Environment": "dev", "Name": name, "Job": "j"}
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
    account.publish("workbench", {**WORKBENCH, "name": "w"})
    expected = [
        ("training host", made, "running, t3.medium"),
        ("workbench", "w", "stopped, studio on ml.t3.medium"),
    ]
    assert [row for row in rows(env) if row in expected] == expected
    ec2.terminate_instances(InstanceIds=[made])
    assert status.collect(env)["host"] is None


def test_an_unfinished_host_or_workbench_names_its_tasks(account, env):
    bucket = state_bucket.ensure(env)
    for name in ("training_host", "workbench"):
        body = b'{"resources": [{"type": "x"}]}'
        env.client("s3").put_object(Bucket=bucket, Key=f"dev/{name}.tfstate", Body=body)
    host, notebooks = rows(env)[-2:]
    assert host[:2] == ("training host", "") and "./inv ec2.down --env dev finishes it" in host[2]
    assert "./inv workbench.up --env dev or ./inv workbench.down --env dev" in notebooks[2]


def test_an_endpoint_with_outdated_outputs_is_reported_with_the_command(account, env, serving):
    outdated = serving.model_dump(exclude={"provisioned_qualifier"})
    account.publish("serving/image-classifier-dev", outdated)
    account.publish("serving/image-classifier-dev-multi", serving.model_dump())
    found = [row for row in rows(env) if row[0] == "endpoint"]
    assert [name for _, name, _ in found] == ["image-classifier-dev", "image-classifier-dev-multi"]
    assert found[0][2].endswith("(provisioned_qualifier: Field required): run ./inv deploy --env dev.")
    assert found[1][2] == "InService, 2 × ml.m5.large, model 1"


def test_a_workbench_with_outdated_outputs_is_reported_with_the_command(account, env):
    account.publish("workbench", {"name": "w"})
    assert [state for what, _, state in rows(env) if what == "workbench"] == [
        "The workbench (parameter /image-classifier/dev/workbench) is damaged, or of another version of this "
        "repository (kind: Field required; 4 more): "
        "run ./inv workbench.down --env dev, then ./inv workbench.up --env dev."
    ]


def test_an_outdated_tuning_result_is_reported_with_the_command(account, env):
    s3.put(env, search.RESULT, b'{"tuning_job": "search"}')
    assert [state for what, _, state in rows(env) if what == "tuning"] == [
        "The tuning result s3://image-classifier-dev-123456789012-us-east-1/results/tuning.json is damaged, or of "
        "another version of this repository (model: Field required; 5 more): run ./inv tune --env dev."
    ]


def test_an_outdated_foundation_is_an_error_with_the_command(account, env):
    account.publish("foundation", {"bucket": "b"})
    with pytest.raises(OutdatedOutputs, match=r"run \./inv apply --stack foundation --env dev"):
        status.collect(env)
