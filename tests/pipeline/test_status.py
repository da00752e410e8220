"""The status of an environment, at every point of its life."""

import json
import threading

import pytest
from botocore.exceptions import ClientError

from ml.jobs import registry, running, search
from ops import s3
from ops.terraform import state_bucket
from pipeline import drift, leftovers, status, status_table
from pipeline.leftovers import Leftover
from pipeline.workbench import workbench
from tests.environments import with_clients
from tests.ops.test_outputs import WORKBENCH


@pytest.fixture
def live(account, monkeypatch):
    """The descriptions of endpoint and function; None for a missing one."""
    found = {
        "endpoint": {
            "EndpointStatus": "InService",
            "EndpointConfigName": "image-classifier-dev-new",
            "ProductionVariants": [{"VariantName": "AllTraffic", "CurrentInstanceCount": 2}],
        },
        "models": {"AllTraffic": "m1"},
        "alias": {"FunctionVersion": "7"},
        "function": {
            "Status": "READY",
            "AllocatedProvisionedConcurrentExecutions": 1,
            "RequestedProvisionedConcurrentExecutions": 2,
        },
    }

    def missing(code="ValidationException"):
        return ClientError({"Error": {"Code": code, "Message": "Could not find it"}}, "Describe")

    class Service:
        def describe_endpoint(self, EndpointName):
            if found["endpoint"] is None:
                raise missing()
            return found["endpoint"]

        def describe_endpoint_config(self, EndpointConfigName):
            models = found["models"].items()
            return {"ProductionVariants": [{"VariantName": v, "ModelName": m} for v, m in models]}

        def describe_model(self, ModelName):
            return {"PrimaryContainer": {"ModelPackageName": f"arn/{ModelName[1:]}"}}

        def get_alias(self, FunctionName, Name):
            if found["alias"] is None:
                raise missing("ResourceNotFoundException")
            return found["alias"]

        def get_provisioned_concurrency_config(self, FunctionName, Qualifier):
            if found["function"] is None:
                raise ClientError({"Error": {"Code": "ProvisionedConcurrencyConfigNotFoundException"}}, "Get")
            return found["function"]

    monkeypatch.setattr(registry, "versions", lambda *_: [])
    monkeypatch.setattr(registry, "of_package", lambda env, arn: found["version"])
    found["version"] = None
    monkeypatch.setattr(leftovers, "find", lambda env, only: found["leftovers"])
    monkeypatch.setattr(drift, "foundation", lambda env: found["foundation"])
    monkeypatch.setattr(running, "running", lambda *_: found["data_jobs"])
    found.update(leftovers=[], foundation=[], data_jobs={})
    found["service"] = Service()
    return found


@pytest.fixture
def env(dev, live):
    """Environment dev with the live endpoint and function."""
    return with_clients(dev, sagemaker=live["service"], lambda_=live["service"])


def save_state(env, *names, resources=None) -> None:
    """Write the Terraform states of stacks."""
    if resources is None:
        resources = ({"type": "x"},)
    bucket = state_bucket.ensure(env)
    for name in names:
        body = json.dumps({"version": 4, "resources": list(resources)}).encode()
        env.client("s3").put_object(Bucket=bucket, Key=f"dev/{name}.tfstate", Body=body)


ENDPOINT = "serving/image-classifier-dev"


def rows(env) -> list[tuple[str, str, str]]:
    return status_table.rows(env.settings, status.collect(env))


def test_an_empty_account_has_nothing(moto_aws, dev):
    found = status.collect(dev)
    assert found == {
        "foundation": None,
        "data": None,
        "tuning": None,
        "models": [],
        "data_jobs": [],
        "endpoints": [],
        "host": None,
        "workbench": None,
        "unfinished": [],
        "attention": [],
    }
    assert status_table.rows(dev.settings, found) == [("foundation", "", "none: nothing exists yet")]


def test_missing_parts_are_reported(env):
    save_state(env, "foundation")
    assert rows(env)[2:] == [
        ("tuning", "", "none"),
        ("model", "", "none"),
        ("endpoint", "", "none"),
    ]


def test_an_environment_in_service(account, env, foundation, serving, monkeypatch):
    save_state(env, "foundation", ENDPOINT)
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
    lineage = {"test_accuracy": "0.75", "training_job": "job", "dataset": "dogs"}
    model = registry.Version(1, "arn", "Approved", None, lineage, "it is good")
    monkeypatch.setattr(registry, "versions", lambda *_: [model])
    assert rows(env) == [
        ("foundation", foundation.bucket, "exists"),
        ("data", "sample", "10 train, 10 valid, 10 test; 2 classes"),
        ("tuning", "search", "validation accuracy 0.9000"),
        ("model", "version 1", "Approved, test accuracy 0.75 on dogs: it is good"),
        ("endpoint", "image-classifier-dev", "InService, 2 × ml.m5.large, model 1"),
        ("function", "image-classifier-dev-inference:live", "READY, 1 of 2 provisioned"),
    ]


def test_variants_are_named_and_missing_functions_left_out(live, account, env, serving):
    live["models"] = {"AllTraffic": "m1", "Shadow": "m10"}
    other = {"hosting": "asynchronous", "function_name": None}
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
    assert (
        "endpoint",
        "image-classifier-dev-tiny",
        "InService, serverless, model 1 (AllTraffic), 10 (Shadow)",
    ) in found
    assert [what for what, _, _ in found].count("function") == 1


def test_an_endpoint_deleted_outside_of_terraform_is_missing(live, account, env, serving):
    account.publish("serving/image-classifier-dev", serving.model_dump())
    save_state(env, "foundation", ENDPOINT)
    live.update(endpoint=None, function=None, alias=None)
    found = status.collect(env)
    (endpoint,) = found["endpoints"]
    assert (endpoint["status"], endpoint["instances"]) == ("missing", 0)
    assert endpoint["provisioned_concurrency"] == "no provisioned concurrency"
    assert status_table.rows(env.settings, found)[-2:] == [
        (
            "endpoint",
            "image-classifier-dev",
            "missing; it was deleted outside this repository: ./inv deploy --env dev creates it again",
        ),
        (
            "function",
            "image-classifier-dev-inference:live",
            "no provisioned concurrency; it was deleted outside this repository: ./inv deploy --env dev creates it again",
        ),
    ]
    assert status_table.summary(found) == "2 findings need attention"


def test_unfinished_stacks_are_reported(account, env, serving):
    account.publish("serving/image-classifier-dev", serving.model_dump())
    save_state(env, "foundation", ENDPOINT, f"{ENDPOINT}-multi")
    found = status.collect(env)
    assert found["unfinished"] == ["serving/image-classifier-dev-multi"]
    what, name, state = status_table.rows(env.settings, found)[-1]
    assert (what, name) == ("serving", "image-classifier-dev-multi")
    assert "./inv down --env dev finishes it" in state
    env.client("ssm").delete_parameter(Name="/image-classifier/dev/foundation")
    env.outputs.forget()
    assert [what for what, _, _ in rows(env)] == ["endpoint", "function", "foundation", "serving"]


def test_a_host_and_a_workbench_are_reported(account, env, monkeypatch):
    save_state(env, "foundation", "training_host", "workbench")
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
    save_state(env, "foundation", "training_host", "workbench")
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


def test_an_outdated_foundation_is_reported_with_the_command(account, env):
    save_state(env, "foundation")
    account.publish("foundation", {"bucket": "b"})
    ((what, name, problem),) = rows(env)
    assert (what, name) == ("no answer", "foundation")
    assert problem.endswith("run ./inv apply --stack foundation --env dev.")


def test_a_lost_state_is_reported_with_both_ways_out(account, env, serving):
    account.publish(ENDPOINT, serving.model_dump())
    found = rows(env)[-2:]
    assert [(what, name) for what, name, _ in found] == [("state", "foundation"), ("state", ENDPOINT)]
    for _, _, problem in found:
        assert "./inv up --env dev adopts them, ./inv down --env dev removes them" in problem


def test_a_damaged_state_is_reported_next_to_the_others(account, env, serving):
    account.publish(ENDPOINT, serving.model_dump())
    save_state(env, "foundation")
    bucket = state_bucket.ensure(env)
    env.client("s3").put_object(Bucket=bucket, Key=f"dev/{ENDPOINT}.tfstate", Body=b'{"resources": [')
    (what, name, problem) = rows(env)[-1]
    assert (what, name) == ("state", ENDPOINT)
    assert "tfstate is damaged" in problem and "aws s3 rm s3://" in problem


def test_orphans_are_what_no_state_holds(live, account, env):
    held = {"type": "aws_sagemaker_endpoint", "instances": [{"attributes": {"name": "image-classifier-dev"}}]}
    save_state(env, "foundation", resources=[held])
    live["leftovers"] = [
        Leftover("endpoint", "image-classifier-dev", monthly=80.0),
        Leftover("endpoint", "image-classifier-dev-lost", monthly=82.8),
        Leftover("alarm", "TargetTracking-endpoint/image-classifier-dev/variant/A", monthly=0.1),
        Leftover("role", "image-classifier-dev-old", monthly=0.0),
    ]
    found = [row for row in rows(env) if row[0] == "orphan"]
    assert [name for _, name, _ in found] == ["image-classifier-dev-lost", "image-classifier-dev-old"]
    assert found[0][2].startswith("endpoint in no state, 82.80 USD a month: ./inv up --env dev adopts")
    assert found[1][2].startswith("role in no state: ")


def test_orphans_are_reported_without_a_foundation(moto_aws, dev, monkeypatch):
    orphan = Leftover("KMS key", "alias/image-classifier-dev", monthly=1.0)
    monkeypatch.setattr(leftovers, "find", lambda env, only: [orphan])
    (row,) = rows(dev)
    assert row[:2] == ("orphan", "alias/image-classifier-dev")


def test_a_lock_is_reported_with_its_owner(account, env):
    save_state(env, "foundation")
    lock = {"ID": "1-2", "Operation": "OperationTypeApply", "Who": "ann@desk", "Info": ""}
    key = "dev/foundation.tfstate.tflock"
    env.client("s3").put_object(Bucket=env.state_bucket, Key=key, Body=json.dumps(lock).encode())
    (row,) = [row for row in rows(env) if row[0] == "lock"]
    assert row[1] == "foundation"
    assert "held by ann@desk with Terraform (apply), since" in row[2]
    assert "./inv unlock --env dev" in row[2]


def test_the_model_in_service_is_the_one_that_sagemaker_serves(live, account, env, serving):
    save_state(env, "foundation", ENDPOINT)
    account.publish(ENDPOINT, serving.model_dump())
    live["endpoint"]["EndpointConfigName"] = "image-classifier-dev-before"
    live["models"] = {"AllTraffic": "m4"}
    live["alias"] = {"FunctionVersion": "6"}
    endpoint, function = rows(env)[-2:]
    assert endpoint[2].startswith(
        "InService, 2 × ml.m5.large, model 4; it serves image-classifier-dev-before and not image-classifier-dev-new "
        "(model 1): the last deployment was rolled back"
    )
    assert "live points to version 6 and not 7" in function[2]


def test_a_service_that_hangs_does_not_hide_the_others(live, account, env, serving, monkeypatch):
    save_state(env, "foundation", ENDPOINT)
    account.publish(ENDPOINT, serving.model_dump())
    never = threading.Event()
    monkeypatch.setattr(registry, "versions", lambda *_: never.wait(60))
    monkeypatch.setattr(status.questions, "SHOW_SECONDS", 0.05)
    asked, shown = status.questions.ask, []
    monkeypatch.setattr(status.questions, "ask", lambda *given: asked(*given, seconds=2))
    found = status.collect(env, shown.append)
    never.set()
    assert found["endpoints"][0]["status"] == "InService"
    assert [(item["what"], item["name"]) for item in found["attention"]] == [("no answer", "models")]
    assert any(text.startswith("waiting for models (") for text in shown)


def test_a_refusal_of_aws_is_in_the_row(live, account, env, monkeypatch):
    save_state(env, "foundation")

    def refuse(*_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "ListModelPackages")

    monkeypatch.setattr(registry, "versions", refuse)
    (row,) = [row for row in rows(env) if row[0] == "no answer"]
    assert row == (
        "no answer",
        "models",
        "AWS refused during the question about models: AccessDenied: not you.",
    )


def test_expired_credentials_end_the_command(dev, moto_aws):
    class Ssm:
        def get_parameter(self, Name):
            raise ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "x"}}, "GetParameter")

        def get_paginator(self, name):
            raise AssertionError(name)

    with pytest.raises(ClientError, match="ExpiredToken"):
        status.collect(with_clients(dev, ssm=Ssm()))


def test_a_missing_bucket_and_a_disabled_key_are_drift(account, dev, foundation):
    kms = dev.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    account.publish("foundation", {**foundation.model_dump(), "kms_key_arn": key})
    dev.outputs.forget()
    assert drift.foundation(dev) == []
    kms.disable_key(KeyId=key.split("/")[1])
    (found,) = drift.foundation(dev)
    assert (
        "the KMS key is Disabled" in found["problem"] and "./inv apply --stack foundation" in found["problem"]
    )
    kms.schedule_key_deletion(KeyId=key.split("/")[1])
    (found,) = drift.foundation(dev)
    assert "aws kms cancel-key-deletion" in found["problem"]
    account.publish("foundation", {**foundation.model_dump(), "bucket": "gone", "kms_key_arn": key})
    dev.outputs.forget()
    assert "the data bucket does not exist" in drift.foundation(dev)[0]["problem"]
