"""The Environment: its clients, its names, and how it acts as a role."""

import threading

import boto3
import pytest

from ops import settings
from ops.environment import Environment
from tests.environments import with_clients, with_settings

ROLE = "arn:aws:iam::123456789012:role/image-classifier-dev-tuning"


def test_clients_are_created_once_and_wait_as_long_as_a_function_may_run(dev):
    client = dev.client("sts")
    assert client.meta.config.read_timeout >= 60
    assert client.meta.config.retries["mode"] == "standard"
    assert client.meta.region_name == "us-east-1"
    assert dev.client("sts") is client


def test_threads_share_one_client(dev):
    found = []
    threads = [threading.Thread(target=lambda: found.append(dev.client("sqs"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(map(id, found))) == 1


def test_names_contain_account_and_region(moto_aws, dev):
    assert dev.account_id == "123456789012"
    assert dev.data_bucket == "image-classifier-dev-123456789012-us-east-1"
    assert dev.state_bucket == "image-classifier-tfstate-123456789012-us-east-1"


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")]
)
def test_the_partition_is_that_of_the_region(dev, region, partition):
    assert with_settings(dev, region=region).partition == partition


def test_acting_as_a_role_uses_the_role_s_credentials(moto_aws, dev):
    role = dev.acting_as(ROLE)
    assert (
        role.client("sts")
        .get_caller_identity()["Arn"]
        .startswith("arn:aws:sts::123456789012:assumed-role/image-classifier-dev-tuning/")
    )
    assert ":assumed-role/" not in dev.client("sts").get_caller_identity()["Arn"]
    assert dev.acting_as(ROLE) is role
    assert role.acting_as(ROLE) is role


def test_the_caller_reads_outputs_and_account_for_a_role(account, dev, foundation):
    calls = []

    class Ssm:
        def get_parameter(self, Name):
            calls.append(Name)
            return dev.client("ssm").get_parameter(Name=Name)

    env = with_clients(dev, ssm=Ssm())
    role = Environment.acting_as(env, ROLE)
    assert role is not env
    assert role.outputs.foundation == foundation
    assert (role.account_id, role.data_bucket) == (env.account_id, env.data_bucket)
    assert calls == ["/image-classifier/dev/foundation"]


def test_without_a_session_credentials_come_from_the_variables(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    env = Environment(settings.load("dev"))
    assert isinstance(env.session, boto3.Session)
    assert env.session.get_credentials().access_key == "mine"
