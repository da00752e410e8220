"""The stacks: their states, and the input variables made from the settings."""

import re
from pathlib import Path

import pytest

from ops import settings
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts import images
from ops.settings.serving import ServingSettings
from ops.terraform import stack, stacks, state_bucket
from tests.environments import with_settings

pytestmark = pytest.mark.usefixtures("moto_aws")
TERRAFORM = Path(__file__).parents[3] / "terraform"


@pytest.fixture(autouse=True)
def work(tmp_path, monkeypatch):
    for name in ("ops.terraform.stack.WORK", "ops.terraform.stacks.WORK"):
        monkeypatch.setattr(name, tmp_path)


def quiet(text: str) -> None:
    pass


def declared(root: str) -> set[str]:
    return set(re.findall(r'^variable "(\w+)"', (TERRAFORM / root / "variables.tf").read_text(), re.M))


def test_every_stack_of_every_environment_has_a_state(dev, prod):
    keys = {
        stacks.foundation(dev, quiet).key,
        stacks.foundation(prod, quiet).key,
        stacks.serving(dev, "image-classifier-dev", "arn", quiet).key,
        stacks.serving(dev, "image-classifier-dev-multi", "arn", quiet).key,
        stacks.training_host(dev, quiet).key,
        stacks.workbench(dev, quiet).key,
    }
    assert len(keys) == 6


@pytest.mark.parametrize("name", settings.names())
def test_inputs_are_variables_that_the_roots_declare(name, moto_session):
    env = Environment(settings.load(name), moto_session)
    foundation = stacks.foundation(env, quiet).variables
    serving = stacks.serving(env, env.settings.prefix, "arn", quiet).variables
    assert set(stacks.access(env, quiet).variables) <= declared("access")
    host = stacks.training_host(env, quiet, {"spot": True}).variables
    bench = stacks.workbench(env, quiet, {"kind": "notebook"}).variables
    assert set(host) <= declared("training_host") and host["host"] == {"spot": True}
    assert set(bench) <= declared("workbench") and bench["workbench"] == {"kind": "notebook"}
    assert set(foundation) <= declared("foundation")
    assert set(serving) <= declared("serving")
    assert foundation["storage"]["force_destroy"] == env.settings.storage.force_destroy
    assert serving["lambda"]["provisioned_concurrency"] == env.settings.function.provisioned_concurrency
    assert serving["autoscaling"]["max_capacity"] == env.settings.serving.autoscaling.max_capacity


def test_roles_may_pull_the_images_that_jobs_and_endpoints_use(dev):
    chosen = stacks.foundation(dev, quiet).variables["images"]
    registry = f"{chosen['account_id']}.dkr.ecr.us-east-1.amazonaws.com"
    training, serving = (
        image("us-east-1", "ml.m5.large") for image in (images.training_image, images.serving_image)
    )
    assert training.startswith(f"{registry}/{chosen['training_repository']}:")
    assert serving.startswith(f"{registry}/{chosen['serving_repository']}:")
    assert stacks.access(dev, quiet).variables["image_account_id"] == chosen["account_id"]


@pytest.mark.parametrize(
    ("wanted", "hosting"),
    [
        ({}, {"instance": {"type": "ml.m5.large", "initial_count": 1}}),
        (
            {"serverless": {"memory_mb": 2048}},
            {"serverless": {"memory_mb": 2048, "max_concurrency": 5, "provisioned_concurrency": 0}},
        ),
        (
            {"instance_type": "ml.c5.large", "asynchronous": {"error_topic_arn": "arn:topic"}},
            {
                "asynchronous": {
                    "instance_type": "ml.c5.large",
                    "initial_count": 1,
                    "prefix": "async/",
                    "error_topic_arn": "arn:topic",
                }
            },
        ),
    ],
)
def test_an_endpoint_has_one_kind_of_hosting(dev, wanted, hosting):
    env = with_settings(dev, serving=ServingSettings(**wanted))
    assert stacks.serving(env, "x", "arn", quiet).variables["hosting"] == hosting


def test_variants_are_versions_of_the_same_model_package_group(dev):
    shadow = ServingSettings(shadow={"model": 3, "sampling_percentage": 10})
    env = with_settings(dev, serving=shadow)
    group = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev"
    assert stacks.serving(env, "x", f"{group}/7", quiet).variables["variants"] == {
        "shadow": {"model_package_arn": f"{group}/3", "sampling_percentage": 10, "instance_count": 1}
    }


def test_the_zip_of_the_function_is_named_by_its_content(dev):
    first, second = (stacks.serving(dev, "x", "arn", quiet) for _ in range(2))
    assert first.variables["lambda"] == second.variables["lambda"]
    first.configuration.folder.mkdir(parents=True, exist_ok=True)
    path = first.configuration.folder / first.variables["lambda"]["zip_path"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_path_of_the_zip_is_the_same_in_every_checkout(dev, tmp_path, monkeypatch):
    found = set()
    for checkout in (tmp_path / "a", tmp_path / "deep" / "er" / "b"):
        for module in (stack, stacks):
            monkeypatch.setattr(module, "WORK", checkout)
        found.add(stacks.serving(dev, "x", "arn", quiet).variables["lambda"]["zip_path"])
    assert len(found) == 1


def test_deployed_endpoints_are_those_whose_state_has_resources(dev):
    assert stacks.deployed_endpoints(dev) == []
    bucket = state_bucket.ensure(dev)
    for key in (
        "dev/foundation.tfstate",
        "dev/serving/image-classifier-dev.tfstate",
        "dev/serving/image-classifier-dev-multi.tfstate",
        "dev/serving/image-classifier-dev-multi.tfstate.tflock",
        "dev2/serving/image-classifier-dev2.tfstate",
    ):
        dev.client("s3").put_object(Bucket=bucket, Key=key, Body=b'{"resources": [{"type": "x"}]}')
    gone = "dev/serving/image-classifier-dev-gone.tfstate"  # destroyed: its empty state remains
    dev.client("s3").put_object(Bucket=bucket, Key=gone, Body=b'{"resources": []}')
    assert stacks.deployed_endpoints(dev) == ["image-classifier-dev", "image-classifier-dev-multi"]


def test_an_unknown_stack_is_refused():
    assert stacks.check_name("serving") == "serving"
    with pytest.raises(OperatorError, match="no stack 'servng': choose access, foundation or serving"):
        stacks.check_name("servng")


def test_roles_have_the_boundary_once_stack_access_has_created_it(dev):
    assert stacks.foundation(dev, quiet).variables["boundary_arn"] == ""
    dev.client("iam").create_policy(
        PolicyName="image-classifier-dev-boundary",
        Path=stacks.ACCESS_PATH,
        PolicyDocument='{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "a:B", "Resource": "*"}}',
    )
    arn = "arn:aws:iam::123456789012:policy/access/image-classifier-dev-boundary"
    assert stacks.foundation(dev, quiet).variables["boundary_arn"] == arn
    assert stacks.serving(dev, "image-classifier-dev", "arn", quiet).variables["boundary_arn"] == arn
    assert stacks.access(dev, quiet).key == "_access/dev.tfstate"  # no environment has a name like this
