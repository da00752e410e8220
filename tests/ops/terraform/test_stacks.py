"""The stacks: their state bucket, their states, and the inputs that the settings become."""

import json
import re
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from ops import settings as environments
from ops.aws import client
from ops.errors import OperatorError
from ops.settings.serving import (
    ServingSettings,
)
from ops.terraform import stacks

pytestmark = pytest.mark.usefixtures("moto_aws")
TERRAFORM = Path(__file__).parents[3] / "terraform"


@pytest.fixture
def dev() -> environments.Settings:
    return environments.load("dev")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    for name in ("ops.terraform.stack.WORK", "ops.terraform.stacks.WORK"):
        monkeypatch.setattr(name, tmp_path)


def quiet(text: str) -> None:
    pass


def declared(root: str) -> set[str]:
    return set(re.findall(r'^variable "(\w+)"', (TERRAFORM / root / "variables.tf").read_text(), re.M))


def test_the_state_bucket_is_named_after_account_and_region(dev):
    assert stacks.state_bucket(dev) == "image-classifier-tfstate-123456789012-us-east-1"
    assert not stacks.has_state(dev)


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_the_state_bucket_is_private_encrypted_and_versioned(dev, region):
    settings = dev.model_copy(update={"region": region})
    name = stacks.ensure_state_bucket(settings)
    s3 = client("s3", region)
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values())
    (rule,) = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == region
    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    tls, account = policy["Statement"]
    assert tls["Resource"] == account["Resource"] == [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert account["Condition"]["StringNotEquals"] == {"aws:PrincipalAccount": "123456789012"}
    assert stacks.ensure_state_bucket(settings) == name


def test_a_half_made_state_bucket_is_finished(dev):
    name, s3 = stacks.state_bucket(dev), client("s3", dev.region)
    s3.create_bucket(Bucket=name)  # and then the command was killed
    stacks.ensure_state_bucket(dev)
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.get_public_access_block(Bucket=name)


def test_a_plan_alone_makes_no_state_bucket(dev):
    stack = stacks.foundation(dev, quiet, plan_only=True)
    assert stack.state_bucket is None
    assert not stacks.has_state(dev)
    stacks.ensure_state_bucket(dev)
    assert stacks.foundation(dev, quiet, plan_only=True).state_bucket == stacks.state_bucket(dev)


def test_environments_and_endpoints_have_states_of_their_own(dev):
    prod = environments.load("prod")
    keys = {
        stacks.foundation(dev, quiet).key,
        stacks.foundation(prod, quiet).key,
        stacks.serving(dev, "image-classifier-dev", "arn", quiet).key,
        stacks.serving(dev, "image-classifier-dev-multi", "arn", quiet).key,
        stacks.training_host(dev, quiet).key,
        stacks.workbench(dev, quiet).key,
    }
    assert len(keys) == 6


@pytest.mark.parametrize("name", environments.names())
def test_inputs_are_variables_that_the_stacks_declare(name):
    settings = environments.load(name)
    foundation = stacks.foundation(settings, quiet).variables
    serving = stacks.serving(settings, settings.prefix, "arn", quiet).variables
    assert set(stacks.access(settings, quiet).variables) <= declared("access")
    host = stacks.training_host(settings, quiet, {"spot": True}).variables
    bench = stacks.workbench(settings, quiet, {"kind": "notebook"}).variables
    assert set(host) <= declared("training_host") and host["host"] == {"spot": True}
    assert set(bench) <= declared("workbench") and bench["workbench"] == {"kind": "notebook"}
    assert set(foundation) <= declared("foundation")
    assert set(serving) <= declared("serving")
    assert foundation["storage"]["force_destroy"] == settings.storage.force_destroy
    assert serving["lambda"]["provisioned_concurrency"] == settings.function.provisioned_concurrency
    assert serving["autoscaling"]["max_capacity"] == settings.serving.autoscaling.max_capacity


@pytest.mark.parametrize(
    ("wanted", "hosting"),
    [
        ({}, {"instance": {"type": "ml.m5.large", "initial_count": 1}}),
        (
            {"serverless": {"memory_mb": 2048}},
            {"serverless": {"memory_mb": 2048, "max_concurrency": 5, "provisioned_concurrency": 0}},
        ),
        (
            {"instance_type": "ml.c5.large", "asynchronous": {"error_topic_arn": "arn:topic"}},
            {
                "asynchronous": {
                    "instance_type": "ml.c5.large",
                    "initial_count": 1,
                    "prefix": "async/",
                    "error_topic_arn": "arn:topic",
                }
            },
        ),
    ],
)
def test_the_endpoint_serves_in_one_way(dev, wanted, hosting):
    settings = dev.model_copy(update={"serving": ServingSettings(**wanted)})
    assert stacks.serving(settings, "x", "arn", quiet).variables["hosting"] == hosting


def test_variants_are_versions_of_the_same_group(dev):
    shadow = ServingSettings(shadow={"model": 3, "sampling_percentage": 10})
    settings = dev.model_copy(update={"serving": shadow})
    group = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"
    assert stacks.serving(settings, "x", f"{group}/7", quiet).variables["variants"] == {
        "shadow": {"model_package_arn": f"{group}/3", "sampling_percentage": 10, "instance_count": 1}
    }


def test_the_function_s_zip_is_named_by_its_content(dev):
    first, second = (stacks.serving(dev, "x", "arn", quiet).variables["lambda"]["zip_path"] for _ in range(2))
    assert first == second
    assert [p.name for p in Path(first).parent.iterdir()] == [Path(first).name]


def test_deployed_endpoints_are_those_with_a_state(dev):
    assert stacks.deployed_endpoints(dev) == []
    bucket = stacks.ensure_state_bucket(dev)
    for key in (
        "dev/foundation.tfstate",
        "dev/serving/image-classifier-dev.tfstate",
        "dev/serving/image-classifier-dev-multi.tfstate",
        "dev/serving/image-classifier-dev-multi.tfstate.tflock",
        "dev2/serving/image-classifier-dev2.tfstate",
    ):
        client("s3", dev.region).put_object(Bucket=bucket, Key=key, Body=b'{"resources": [{"type": "x"}]}')
    gone = "dev/serving/image-classifier-dev-gone.tfstate"  # destroyed: its state stays, empty
    client("s3", dev.region).put_object(Bucket=bucket, Key=gone, Body=b'{"resources": []}')
    assert stacks.deployed_endpoints(dev) == ["image-classifier-dev", "image-classifier-dev-multi"]


def test_a_bucket_that_is_refused_is_not_taken_for_missing(dev, monkeypatch):
    class Refusing:
        def head_bucket(self, **_):
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")

    monkeypatch.setattr(stacks, "client", lambda *_: Refusing())
    with pytest.raises(ClientError, match="Forbidden"):
        stacks.has_state(dev)


def test_unknown_stack():
    assert stacks.check_name("serving") == "serving"
    with pytest.raises(OperatorError, match="no stack 'servng': choose access, foundation or serving"):
        stacks.check_name("servng")


def test_roles_are_bounded_once_stack_access_has_made_the_boundary(dev):
    assert stacks.foundation(dev, quiet).variables["boundary_arn"] == ""
    client("iam", dev.region).create_policy(
        PolicyName="image-classifier-dev-boundary",
        Path=stacks.ACCESS_PATH,
        PolicyDocument='{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "a:B", "Resource": "*"}}',
    )
    arn = "arn:aws:iam::123456789012:policy/access/image-classifier-dev-boundary"
    assert stacks.foundation(dev, quiet).variables["boundary_arn"] == arn
    assert stacks.serving(dev, "image-classifier-dev", "arn", quiet).variables["boundary_arn"] == arn
    assert stacks.access(dev, quiet).key == "_access/dev.tfstate"  # no environment has such a name
