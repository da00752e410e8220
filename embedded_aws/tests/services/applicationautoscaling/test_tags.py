"""Tags of scalable targets."""

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.applicationautoscaling import models, urls

from embedded_aws.runtime import Runtime
from embedded_aws.services.applicationautoscaling import tags
from embedded_aws.services.provider import Provider, Routes

TARGET = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/image-classifier-local/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


@pytest.fixture
def client(tmp_path):
    runtime = Runtime(home=tmp_path, port=1)
    Provider(
        backends=[(models.applicationautoscaling_backends, tags.TagsBackend)],
        routes=[Routes(table=urls.url_paths, paths=["{0}/$"], responses=tags.TagsResponse)],
    ).install(runtime)
    with mock_aws():
        yield boto3.client(
            "application-autoscaling",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


def register(client, **tags) -> str:
    return client.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=3, Tags=tags)[
        "ScalableTargetARN"
    ]


def tags_of(client, arn) -> dict:
    return client.list_tags_for_resource(ResourceARN=arn)["Tags"]


def test_tags_given_at_registration_are_listed(client):
    assert tags_of(client, register(client, Project="image-classifier")) == {"Project": "image-classifier"}


def test_tags_are_added_changed_and_removed(client):
    arn = register(client, Project="image-classifier", Stack="serving")
    client.tag_resource(ResourceARN=arn, Tags={"Stack": "other", "Owner": "me"})
    client.untag_resource(ResourceARN=arn, TagKeys=["Project", "absent"])
    assert tags_of(client, arn) == {"Stack": "other", "Owner": "me"}


def test_registering_again_without_tags_keeps_them(client):
    arn = register(client, Stack="serving")
    client.register_scalable_target(**TARGET, MaxCapacity=5)
    assert tags_of(client, arn) == {"Stack": "serving"}


def test_tags_are_deleted_with_the_target(client):
    arn = register(client, Stack="serving")
    client.deregister_scalable_target(**TARGET)
    with pytest.raises(ClientError) as refused:
        tags_of(client, arn)
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
    assert tags_of(client, register(client)) == {}


def test_tags_of_an_unknown_target_cannot_change(client):
    with pytest.raises(ClientError) as refused:
        client.tag_resource(
            ResourceARN="arn:aws:application-autoscaling:us-east-1:123456789012:scalable-target/0",
            Tags={"a": "b"},
        )
    assert refused.value.response["Error"]["Code"] == "ResourceNotFoundException"
