"""The operator's role finds everything of its environment, and deletes what carries its tags in every region."""

from __future__ import annotations

import boto3
import pytest

from ops import settings
from ops.environment import Environment
from pipeline import leftovers

pytestmark = pytest.mark.slow


@pytest.fixture
def operated(account, embedded_aws, monkeypatch) -> Environment:
    """The environment of the roles, with the operator's credentials."""
    keys = embedded_aws.session_of(f"access/{account.prefix}-operator")
    monkeypatch.setenv("AWS_ENDPOINT_URL", embedded_aws.endpoint_url)
    chosen = settings.load("dev").model_copy(update={"project": account.project})
    return Environment(chosen, boto3.Session(region_name=chosen.region, **keys))


def volume(account, region: str, environment: str) -> str:
    """Create a volume with an environment's tags."""
    tags = [{"Key": "Project", "Value": account.project}, {"Key": "Environment", "Value": environment}]
    made = account._aws.client("ec2", region_name=region).create_volume(
        AvailabilityZone=f"{region}a", Size=1, TagSpecifications=[{"ResourceType": "volume", "Tags": tags}]
    )
    return made["VolumeId"]


def test_the_operator_sweeps_its_own_environment_only(account, operated):
    region = "us-west-2"
    mine, foreign = volume(account, region, "dev"), volume(account, region, "prod")
    found = leftovers.find(operated)
    chosen = [item for item in found if item.kind == "volume" and item.region == region]
    assert [item.name for item in chosen] == [mine]
    assert leftovers.remove(operated, chosen, lambda text: None) == []
    left = account._aws.client("ec2", region_name=region).describe_volumes(VolumeIds=[foreign])["Volumes"]
    assert [item["VolumeId"] for item in left] == [foreign]


def test_what_the_operator_may_not_delete_remains_with_the_reason(account, operated):
    api = account._aws.client("apigatewayv2").create_api(
        Name="anything", ProtocolType="HTTP", Tags={"Project": account.project, "Environment": "dev"}
    )
    (found,) = [item for item in leftovers.find(operated) if item.arn.endswith(api["ApiId"])]
    (left,) = leftovers.remove(operated, [found], lambda text: None)
    assert left.arn == found.arn and "AccessDenied" in left.reason


def test_what_the_operator_may_not_look_into_is_found_with_unknown_cost(account, operated):
    name = f"{account.prefix}-archive"
    account._aws.client("s3").create_bucket(Bucket=name)
    (found,) = [item for item in leftovers.find(operated) if item.name == name]
    assert (found.kind, found.monthly, found.managed) == ("bucket", None, False)
