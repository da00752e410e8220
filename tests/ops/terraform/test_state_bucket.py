"""The state bucket: private, encrypted, versioned, and created only when a stack is applied."""

import json

import pytest
from botocore.exceptions import ClientError

from ops.terraform import stacks, state_bucket
from tests.environments import with_clients, with_settings

pytestmark = pytest.mark.usefixtures("moto_aws")


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    monkeypatch.setattr("ops.terraform.stack.WORK", tmp_path)


def quiet(text: str) -> None:
    pass


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_the_state_bucket_is_private_encrypted_and_versioned(dev, region):
    env = with_settings(dev, region=region)
    assert not state_bucket.exists(env)
    name = state_bucket.ensure(env)
    assert state_bucket.exists(env)
    s3 = env.client("s3")
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
    assert state_bucket.ensure(env) == name


def test_a_partly_created_state_bucket_is_completed(dev):
    name, s3 = dev.state_bucket, dev.client("s3")
    s3.create_bucket(Bucket=name)  # then the command was killed
    state_bucket.ensure(dev)
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert s3.get_public_access_block(Bucket=name)


def test_a_plan_does_not_create_the_state_bucket(dev):
    stack = stacks.foundation(dev, quiet, plan_only=True)
    assert stack.state_bucket is None
    assert not state_bucket.exists(dev)
    state_bucket.ensure(dev)
    assert stacks.foundation(dev, quiet, plan_only=True).state_bucket == dev.state_bucket


def test_a_refusal_is_not_mistaken_for_a_missing_bucket(dev):
    class Refusing:
        def head_bucket(self, **_):
            raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")

    with pytest.raises(ClientError, match="Forbidden"):
        state_bucket.exists(with_clients(dev, s3=Refusing()))
