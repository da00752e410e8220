"""The removal of what Terraform does not own, and the refusals before anything is destroyed."""

import pytest

from ops.errors import OperatorError
from ops.terraform import stacks, state_bucket
from pipeline import cleanup, teardown
from tests.pipeline.test_leftovers import endpoint

pytestmark = pytest.mark.usefixtures("moto_aws")


def test_the_deletion_of_an_endpoint_is_waited_for(dev, monkeypatch):
    cleanup.wait_until_endpoint_is_deleted(dev, "image-classifier-dev")  # there is none
    sagemaker, pauses = dev.client("sagemaker"), []
    endpoint(dev, "image-classifier-dev")

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            sagemaker.delete_endpoint(EndpointName="image-classifier-dev")

    monkeypatch.setattr("botocore.waiter.time.sleep", pause)
    cleanup.wait_until_endpoint_is_deleted(dev, "image-classifier-dev")
    assert pauses == [5, 5, 5]
    endpoint(dev, "image-classifier-dev-multi")
    with pytest.raises(
        OperatorError, match="image-classifier-dev-multi still exists 15 minutes after its deletion"
    ):
        cleanup.wait_until_endpoint_is_deleted(dev, "image-classifier-dev-multi")


def hold(env, key: str, body: bytes) -> None:
    """Write a state."""
    env.client("s3").put_object(Bucket=state_bucket.ensure(env), Key=key, Body=body)


def test_a_foundation_with_an_endpoint_is_not_destroyed(dev):
    for name in ("image-classifier-dev", "image-classifier-dev-multi"):
        hold(dev, f"dev/serving/{name}.tfstate", b'{"resources": [{}]}')
    with pytest.raises(
        OperatorError, match=r"dev is still used by image-classifier-dev-multi: run \./inv down --env dev"
    ):
        teardown.check_foundation(dev, removed=["image-classifier-dev"])
    teardown.check_foundation(dev, removed=["image-classifier-dev", "image-classifier-dev-multi"])


def test_a_foundation_with_a_host_or_a_workbench_is_not_destroyed(dev):
    for name in ("foundation", "training_host", "workbench"):
        hold(dev, f"dev/{name}.tfstate", b'{"resources": [{}]}')
    with pytest.raises(
        OperatorError,
        match=r"is still used by training_host, workbench: .* first \./inv ec2\.down --env dev "
        r"and \./inv workbench\.down --env dev\.$",
    ):
        teardown.check_foundation(dev, removed=[])
    with pytest.raises(
        OperatorError, match=r"is still used by workbench: .* first \./inv workbench\.down --env dev\.$"
    ):
        teardown.check_foundation(dev, removed=["training_host"])
    teardown.check_foundation(dev, removed=["training_host", "workbench"])


def test_protected_data_is_refused_before_anything_is_destroyed(dev, prod):
    s3 = prod.client("s3")
    teardown.check_foundation(prod, removed=[])  # no bucket
    bucket = prod.data_bucket
    s3.create_bucket(Bucket=bucket)
    teardown.check_foundation(prod, removed=[])  # an empty bucket
    s3.put_object(Bucket=bucket, Key="datasets/current.json")
    with pytest.raises(OperatorError, match=f"{bucket} holds data .*prod.toml .* force_destroy = true"):
        teardown.check_foundation(prod, removed=[])
    teardown.check_foundation(dev, removed=[])


def test_every_model_version_is_deleted(dev, monkeypatch):
    """With a fake deletion: moto has none."""
    real, deleted, group = dev.client("sagemaker"), [], dev.settings.prefix
    real.create_model_package_group(ModelPackageGroupName=group)
    arns = [real.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"] for _ in range(3)]
    monkeypatch.setattr(
        real, "delete_model_package", lambda ModelPackageName: deleted.append(ModelPackageName)
    )
    assert cleanup.delete_models(dev) == 3
    assert sorted(deleted) == sorted(arns)


def test_without_a_model_package_group_no_model_is_deleted(dev):
    assert cleanup.delete_models(dev) == 0


def test_the_state_bucket_is_deleted_with_the_last_environment(dev, prod):
    bucket, s3 = state_bucket.ensure(dev), dev.client("s3")
    for environment in ("dev", "dev", "prod"):  # twice: a second version
        s3.put_object(Bucket=bucket, Key=f"{environment}/foundation.tfstate", Body=b"{}")
    s3.delete_object(Bucket=bucket, Key="prod/foundation.tfstate")  # leaves a delete marker

    cleanup.delete_states(dev)
    kept = s3.list_object_versions(Bucket=bucket)
    assert {v["Key"] for v in [*kept["Versions"], *kept["DeleteMarkers"]]} == {"prod/foundation.tfstate"}
    cleanup.delete_states(prod)
    assert not state_bucket.exists(dev)
    cleanup.delete_states(prod)  # there is nothing to delete


def test_stack_access_is_not_destroyed_while_roles_use_its_boundary(dev):
    bucket, s3 = state_bucket.ensure(dev), dev.client("s3")
    state = {"Bucket": bucket, "Key": "dev/foundation.tfstate"}
    s3.put_object(**state, Body=b'{"resources": [{"type": "aws_iam_role"}]}')
    with pytest.raises(
        OperatorError, match=r"The roles of foundation use the boundary .*: run \./inv down --env dev first"
    ):
        teardown.check_access(dev)
    s3.put_object(**state, Body=b'{"resources": []}')
    teardown.check_access(dev)


def test_states_of_stack_access_and_of_the_environment_are_deleted_separately(dev):
    bucket, s3 = state_bucket.ensure(dev), dev.client("s3")
    for key in ("dev/foundation.tfstate", stacks.access_key(dev.settings)):
        s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    cleanup.delete_states(dev)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["_access/dev.tfstate"]
    cleanup.delete_states(dev, access=True)
    assert not state_bucket.exists(dev)
