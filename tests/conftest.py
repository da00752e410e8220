"""An environment with a foundation and data, in an AWS account inside the test's process."""

from __future__ import annotations

import hashlib
import json

import pytest

from ml.jobs import data
from ml.jobs.data.manifest import Manifest, Picture
from ops import outputs as handover
from ops import settings as environments
from ops.aws import client
from tests.moto_account import moto_aws, moto_session  # noqa: F401

BUCKET = "image-classifier-dev-123456789012-us-east-1"


@pytest.fixture
def dev() -> environments.Settings:
    """Environment dev with a network that needs no weights."""
    settings = environments.load("dev")
    return settings.model_copy(
        update={"model": settings.model.model_copy(update={"architecture": "small_cnn", "pretrained": False})}
    )


@pytest.fixture
def foundation() -> handover.Foundation:
    """What the foundation of dev publishes."""
    role = "arn:aws:iam::123456789012:role/image-classifier-dev"
    return handover.Foundation(
        account_id="123456789012",
        bucket=BUCKET,
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555",
        training_role_arn=f"{role}-training",
        tuning_role_arn=f"{role}-tuning",
        endpoint_role_arn=f"{role}-endpoint",
        model_package_group_name="image-classifier-dev",
        model_package_group_arn="arn:aws:sagemaker:us-east-1:123456789012:model-package-group/image-classifier-dev",
        ec2_log_group="/image-classifier/dev/ec2",
    )


@pytest.fixture
def serving() -> handover.Serving:
    """What the serving stack of dev publishes."""
    package = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev/1"
    return handover.Serving(
        endpoint_name="image-classifier-dev",
        endpoint_config_name="image-classifier-dev-new",
        model_package_arn=package,
        variants={"AllTraffic": package},
        hosting="instance",
        instance_type="ml.m5.large",
        scaled_variants=["AllTraffic"],
        min_capacity=1,
        max_capacity=3,
        scheduled=False,
        function_name="image-classifier-dev-inference",
        function_alias="live",
        function_alias_arn="arn:alias",
        function_version="7",
        provisioned_concurrency=2,
        provisioned_qualifier="7",
    )


@pytest.fixture
def manifest() -> Manifest:
    """Ten pictures of two classes in each split."""
    keys = [
        f"{split}/{name}/{n}.png" for split in ("train", "valid", "test") for name in "01" for n in range(5)
    ]
    return Manifest("sample", {k: Picture(hashlib.sha256(k.encode()).hexdigest(), 9) for k in keys})


@pytest.fixture
def account(moto_aws, dev, foundation, manifest):  # noqa: F811
    """Foundation published, data uploaded. Functions: publish(name, value), upload(manifest)."""

    class Account:
        def publish(self, name: str, value: dict) -> None:
            client("ssm", dev.region).put_parameter(
                Name=f"/image-classifier/dev/{name}", Value=json.dumps(value), Type="String", Overwrite=True
            )

        def upload(self, manifest: Manifest) -> None:
            key, s3 = f"datasets/{manifest.dataset}/manifest.json", client("s3", dev.region)
            s3.put_object(Bucket=BUCKET, Key=key, Body=manifest.to_json().encode())
            pointer = {"dataset": manifest.dataset, "manifest_key": key, "hash": manifest.hash}
            s3.put_object(Bucket=BUCKET, Key="datasets/current.json", Body=json.dumps(pointer).encode())

    client("s3", dev.region).create_bucket(Bucket=BUCKET)
    found = Account()
    found.publish("foundation", foundation.model_dump())
    found.upload(manifest)
    assert data.current(BUCKET, client("s3", dev.region), "dev").hash == manifest.hash
    return found
