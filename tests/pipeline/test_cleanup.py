"""The removal of what Terraform does not own, and the refusals before anything is destroyed."""

import pytest

from ops.errors import OperatorError
from ops.terraform import stacks, state_bucket
from pipeline import cleanup, teardown

pytestmark = pytest.mark.usefixtures("moto_aws")


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
    bucket = prod.data_bucket
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="datasets/current.json")
    for remove in (teardown.down, teardown.destroy):
        with pytest.raises(
            OperatorError, match=f"{bucket} holds data .*prod.toml .*--keep data.*force_destroy = true"
        ):
            remove(prod)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert not state_bucket.exists(prod)


def test_every_model_version_is_deleted(dev, monkeypatch):
    """With a fake deletion: moto has none."""
    real, deleted, group = dev.client("sagemaker"), [], dev.settings.prefix
    real.create_model_package_group(ModelPackageGroupName=group)
    arns = [real.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"] for _ in range(3)]
    monkeypatch.setattr(
        real, "delete_model_package", lambda ModelPackageName: deleted.append(ModelPackageName)
    )
    assert cleanup.delete_models(dev, lambda text: None) == 3
    assert sorted(deleted) == sorted(arns)


def test_without_a_model_package_group_no_model_is_deleted(dev):
    assert cleanup.delete_models(dev, lambda text: None) == 0


def states(env) -> set[str]:
    """Return the keys of all versions and delete markers in the state bucket."""
    found = env.client("s3").list_object_versions(Bucket=env.state_bucket)
    return {v["Key"] for v in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]}


def test_the_state_bucket_is_deleted_with_the_last_environment(dev, prod):
    bucket, s3 = state_bucket.ensure(dev), dev.client("s3")
    for environment in ("dev", "dev", "prod"):  # twice: a second version
        s3.put_object(Bucket=bucket, Key=f"{environment}/foundation.tfstate", Body=b"{}")
    s3.delete_object(Bucket=bucket, Key="prod/foundation.tfstate")  # leaves a delete marker

    for env in (dev, prod):
        cleanup.delete_states(env)
        assert states(dev) == ({"prod/foundation.tfstate"} if env is dev else set())
        cleanup.delete_state_bucket(env)
    assert not state_bucket.exists(dev)
    cleanup.delete_states(prod)  # there is nothing to delete
    cleanup.delete_state_bucket(prod)


def test_locks_outlive_the_states_until_they_are_released(dev):
    bucket, s3, lock = state_bucket.ensure(dev), dev.client("s3"), "dev/foundation.tfstate.tflock"
    for key in ("dev/foundation.tfstate", lock):
        s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    cleanup.delete_states(dev)
    assert states(dev) == {lock}
    cleanup.delete_state_bucket(dev)  # somebody holds a lock
    assert states(dev) == {lock}
    s3.delete_object(Bucket=bucket, Key=lock)
    cleanup.delete_state_bucket(dev)
    assert not state_bucket.exists(dev)


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
    cleanup.delete_state_bucket(dev)
    cleanup.delete_states(dev, access=True)
    cleanup.delete_state_bucket(dev, access=True)
    assert not state_bucket.exists(dev)
