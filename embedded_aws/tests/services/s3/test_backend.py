"""S3: a versioned bucket can be emptied, delete markers included."""

import boto3
import pytest
from moto import mock_aws

from embedded_aws.runtime import Runtime
from embedded_aws.services.s3 import provider


@pytest.fixture
def bucket(tmp_path):
    runtime = Runtime(home=tmp_path, port=1)
    provider.provider(runtime).install(runtime)
    with mock_aws():
        bucket = boto3.resource(
            "s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        ).create_bucket(Bucket="versioned-bucket")
        bucket.Versioning().enable()
        yield bucket


def test_delete_markers_are_deleted_with_the_versions(bucket):
    bucket.put_object(Key="a", Body=b"1")
    bucket.put_object(Key="a", Body=b"2")
    bucket.Object("a").delete()
    assert list(bucket.objects.all()) == []
    versions = list(bucket.object_versions.all())
    assert len(versions) == 3

    deleted = bucket.object_versions.delete()

    assert "Errors" not in deleted[0]
    assert list(bucket.object_versions.all()) == []
    bucket.delete()


def test_deleting_a_delete_marker_restores_the_object(bucket):
    bucket.put_object(Key="a", Body=b"1")
    marker = bucket.Object("a").delete()["VersionId"]
    bucket.meta.client.delete_object(Bucket=bucket.name, Key="a", VersionId=marker)
    assert bucket.Object("a").get()["Body"].read() == b"1"
