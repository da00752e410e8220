"""Which sources a data job can read."""

from __future__ import annotations

import pytest

from ml.jobs.processing import sources
from ops.environment import Environment
from ops.errors import Refused
from ops.outputs import Network
from tests.conftest import BUCKET


@pytest.mark.parametrize(
    ("source", "prefix", "path"),
    [
        ("s3://b/sources/pets", "s3://b/sources/pets/", "pets"),
        ("s3://b/sources/pets/", "s3://b/sources/pets/", "pets"),
        ("s3://b/sources/v1.2/My pets", "s3://b/sources/v1.2/My pets/", "My-pets"),
        ("s3://b/sources/pets.tar.gz", "s3://b/sources/pets.tar.gz", "pets.tar.gz"),
        ("s3://b/sources/My pets.zip", "s3://b/sources/My pets.zip", "My pets.zip"),
        ("s3://b/sources/pets.ZIP", "s3://b/sources/pets.ZIP", "pets.ZIP"),
    ],
)
def test_an_archive_is_an_object_and_anything_else_a_folder(source: str, prefix: str, path: str) -> None:
    assert (str(sources.prefix(source)), sources.path(source)) == (prefix, path)


def test_a_folder_is_the_same_with_and_without_its_last_slash() -> None:
    assert sources.identity("s3://b/sources/pets") == sources.identity("s3://b/sources/pets/")
    assert sources.identity("sample") == "sample"


def test_known_names_urls_and_objects_below_sources_are_accepted(account, dev: Environment) -> None:
    dev.client("s3").put_object(Bucket=BUCKET, Key="sources/pets/train/cat/1.png", Body=b"x")
    for source in ("sample", "dogs", "https://pictures.example/pets.zip", f"s3://{BUCKET}/sources/pets"):
        sources.check(dev, source)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            "/data/pets",
            "is on this machine, which a processing job cannot read: copy it with aws s3 sync /data/pets "
            f"s3://{BUCKET}/sources/pets/, and give --source s3://{BUCKET}/sources/pets/; or leave out --on sagemaker",
        ),
        (
            "s3://elsewhere/photos/pets",
            f"reads sources below s3://{BUCKET}/sources/ only: copy it with aws s3 sync s3://elsewhere/photos/pets "
            f"s3://{BUCKET}/sources/pets/",
        ),
        (f"s3://{BUCKET}/datasets/pets/", "reads sources below"),
        (f"s3://{BUCKET}/sources/", "reads sources below"),
        (f"s3://{BUCKET}/sources/pet", f"there are no objects below s3://{BUCKET}/sources/pet/"),
    ],
)
def test_other_sources_are_refused_with_the_command_that_helps(
    account, dev: Environment, source: str, problem: str
) -> None:
    dev.client("s3").put_object(Bucket=BUCKET, Key="sources/pets/1.png", Body=b"x")
    with pytest.raises(Refused) as refused:
        sources.check(dev, source)
    assert problem in str(refused.value)


@pytest.mark.parametrize("source", ["dogs", "https://pictures.example/pets.zip"])
def test_a_private_network_does_not_reach_the_internet(
    account, dev: Environment, foundation, source: str
) -> None:
    network = Network(subnet_ids=["s"], training_security_group_ids=["g"])
    account.publish("foundation", foundation.model_copy(update={"network": network}).model_dump())
    with pytest.raises(Refused, match="is on the internet, which the private network of dev does not reach"):
        sources.check(dev, source)
    sources.check(dev, "sample")
