"""With the Terraform state lost, `down` finds by names and tags what the stacks created, and removes it."""

from __future__ import annotations

import uuid

import boto3
import pytest

from ops import bucket, settings
from ops.environment import Environment
from ops.errors import OperatorError
from ops.inventory import tagging
from ops.terraform import stacks
from pipeline import cleanup, leftovers, teardown
from tests.environments import with_settings
from tests.terraform.conftest import stack_variables  # noqa: F401

pytestmark = pytest.mark.slow


@pytest.fixture
def applied(embedded_aws, stack_variables, monkeypatch) -> Environment:  # noqa: F811
    """An environment with a foundation in a network of its own, data and a model version."""
    for name, value in stack_variables(embedded_aws).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", embedded_aws.endpoint_url)
    chosen = settings.load("local").model_copy(update={"project": f"p{uuid.uuid4().hex[:8]}"})
    env = with_settings(Environment(chosen, boto3.Session(region_name=chosen.region)), network={"vpc": True})
    stacks.foundation(env, lambda text: None).up()
    env.client("s3").put_object(Bucket=env.data_bucket, Key="datasets/a", Body=b"a")
    env.client("sagemaker").create_model_package(
        ModelPackageGroupName=chosen.prefix,
        InferenceSpecification={
            "Containers": [{"Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1"}],
            "SupportedContentTypes": ["image/png"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )
    return env


def planted_queue(env: Environment) -> str:
    """Create a queue with the environment's tags, as somebody may for an experiment."""
    tags = {"Project": env.settings.project, "Environment": env.settings.environment}
    return str(
        env.client("sqs").create_queue(QueueName=f"mine-{uuid.uuid4().hex[:8]}", tags=tags)["QueueUrl"]
    )


def test_a_lost_state_leaves_nothing_behind(applied, monkeypatch):
    shown = []
    monkeypatch.setattr(leftovers, "show", lambda title, found: shown.append(title))
    queue = planted_queue(applied)
    bucket.empty(applied, applied.state_bucket)
    applied.client("s3").delete_bucket(Bucket=applied.state_bucket)

    with pytest.raises(OperatorError, match=r"state of local is lost.*run \./inv up"):
        teardown.down(applied, frozenset({"data"}))
    assert bucket.holds_anything(applied, applied.data_bucket)

    with pytest.raises(OperatorError, match=r"1 resources are left .*\./inv down --sweep deletes them"):
        teardown.down(applied)
    assert [item.kind for item in leftovers.find(applied)] == ["queue"]
    assert shown == ["Without a Terraform state, to be removed from local", "Leftovers"]

    asked = []
    assert teardown.down(applied, approve_sweep=asked.append) == []
    assert [[item.name for item in found] for found in asked] == [[queue.rpartition("/")[2]]]
    keys = {item.arn.split(":")[2] for item in tagging.everywhere(applied, lambda text: None)}
    assert keys <= {"kms"}  # pending deletion
    assert leftovers.find(applied) == []
    cleanup.delete_state_bucket(applied)
