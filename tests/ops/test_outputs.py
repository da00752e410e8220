"""What a stage leaves for the next; a missing or foreign hand-over is refused with the task that makes it."""

import pytest

from ops import outputs as handover
from ops.aws import client
from ops.errors import OperatorError


def test_foundation_and_serving_are_read_back(account, dev, foundation, serving):
    assert handover.foundation(dev) == foundation
    account.publish("serving/image-classifier-dev", serving.model_dump())
    assert handover.serving(dev) == serving


def test_without_a_foundation_the_task_is_named(moto_aws, dev):
    with pytest.raises(
        OperatorError, match=r"dev has no foundation .*\./inv apply --stack foundation --env dev\.$"
    ):
        handover.foundation(dev)


def test_without_an_endpoint_the_task_is_named(account, dev):
    with pytest.raises(
        OperatorError, match=r"no endpoint image-classifier-dev yet: run \./inv deploy --env dev\.$"
    ):
        handover.serving(dev)
    with pytest.raises(
        OperatorError, match=r"image-classifier-dev-multi yet: .* --env dev --endpoint multi\.$"
    ):
        handover.serving(dev, "multi")


@pytest.mark.parametrize(
    ("name", "read"),
    [("foundation", handover.foundation), ("serving/image-classifier-dev", handover.serving)],
)
def test_what_another_version_published_is_refused(account, dev, name, read):
    account.publish(name, {"bucket": "b"})
    with pytest.raises(OperatorError, match=r"another version of this repository: run \./inv (apply|deploy)"):
        read(dev)


def test_every_endpoint_of_the_environment_is_found(account, dev, serving):
    for name in ("image-classifier-dev-multi", "image-classifier-dev"):
        account.publish(f"serving/{name}", {**serving.model_dump(), "endpoint_name": name})
    assert [s.endpoint_name for s in handover.all_serving(dev)] == [
        "image-classifier-dev",
        "image-classifier-dev-multi",
    ]


@pytest.mark.parametrize(
    ("given", "full"),
    [
        (None, "image-classifier-dev"),
        ("", "image-classifier-dev"),
        ("image-classifier-dev", "image-classifier-dev"),
        ("multi", "image-classifier-dev-multi"),
        ("image-classifier-dev-multi", "image-classifier-dev-multi"),
    ],
)
def test_endpoint_names(dev, given, full):
    assert handover.endpoint_name(dev, given) == full


@pytest.mark.parametrize("given", ["a_b", "multi model", "x" * 40, "-", "multi-", "ä"])
def test_what_is_no_endpoint_s_name_is_refused(dev, given):
    with pytest.raises(OperatorError, match="is no endpoint's name"):
        handover.endpoint_name(dev, given)


def test_objects_are_encrypted_and_read_back(account, dev, foundation):
    assert handover.read(dev, foundation.bucket, "tuning") is None
    handover.write(dev, foundation, "tuning", {"best": 0.9})
    assert handover.read(dev, foundation.bucket, "tuning") == {"best": 0.9}
    stored = client("s3", dev.region).head_object(Bucket=foundation.bucket, Key="handover/tuning.json")
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", foundation.kms_key_arn)
