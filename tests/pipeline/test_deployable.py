"""What can be known before a deployment is refused before it: no lock, no wait, no change."""

import dataclasses

import pytest

from ml.jobs import predictions, registry
from ops import served_models
from ops.errors import Refused
from ops.settings.serving import SecondVariantSettings, ShadowVariantSettings
from ops.terraform import stacks
from pipeline import deploy, live_checks, preflight, rollback, status
from tests.environments import with_clients, with_settings
from tests.pipeline.deployment_kit import ENDPOINT, LINEAGE, World, package, versions

DOGS = {"dataset": "dogs", "test_accuracy": "0.71"}


@pytest.fixture
def found(monkeypatch) -> dict:
    """The registered versions by number; a test changes them."""
    found = {version.number: version for version in versions(1, 2, 3)}
    monkeypatch.setattr(registry, "versions", lambda env: sorted(found.values(), key=lambda v: -v.number))
    monkeypatch.setattr(
        registry, "of_package", lambda env, arn: found.get(int(arn.rpartition("/")[2])) if arn else None
    )
    return found


@pytest.fixture
def world(account, dev, serving, fast_clock, found, monkeypatch) -> World:
    """Versions 1 and 2 have served well, 2 serves; 3 is new."""
    account.env = dev
    made = World(account, serving)
    made.serving = 2
    made.publish_outputs(2)
    made.publish_history(2, 1)
    monkeypatch.setattr(stacks, "serving", made.stack)
    monkeypatch.setattr(preflight, "check_deployment", lambda *_: None)
    monkeypatch.setattr(live_checks, "check_capacity", lambda env, target: None)
    monkeypatch.setattr(predictions, "examples", lambda env, most: [("s3://bucket/cat.png", "cat")])
    monkeypatch.setattr(predictions, "invoke", made.invoke)
    return made


@pytest.fixture
def env(dev, world):
    return with_clients(dev, sagemaker=world, cloudwatch=world)


def change(found: dict, number: int, **fields) -> None:
    found[number] = dataclasses.replace(found[number], **fields)


def refused(world, call, match: str) -> str:
    """Return the sentence of a refusal, which must come before the lock and any change."""

    def lock():
        raise AssertionError("the lock was taken")

    world._lock = lock
    world.passing = []
    with pytest.raises(Refused, match=match) as error:
        call()
    assert world.calls == [] and world.serving == 2
    return str(error.value)


def test_a_version_that_waits_for_approval_names_the_command_that_approves_it(world, env, found):
    change(found, 3, approval="PendingManualApproval", lineage={**LINEAGE, "test_accuracy": "0.5512"})
    said = refused(
        world, lambda: deploy.run(env, 3), r"^Model version 3 waits for approval \(test accuracy 0\.5512"
    )
    assert './inv models --env dev --approve 3 --because "…"' in said


def test_a_rejected_version_gives_the_reason_of_its_rejection(world, env, found):
    change(
        found,
        3,
        approval="Rejected",
        because="confuses cats (Rejected by arn:aws:iam::1:user/a, 2026-01-01).",
    )
    refused(
        world,
        lambda: deploy.run(env, 3),
        r"version 3 was rejected \(confuses cats \(Rejected by .*2026-01-01\)\)",
    )


@pytest.mark.parametrize("variant", ["second", "shadow"])
def test_a_further_variant_needs_an_approved_version_too(world, env, found, variant):
    settings = {
        "second": SecondVariantSettings(model=3, traffic_percentage=10),
        "shadow": ShadowVariantSettings(model=3),
    }
    with_variant = with_settings(env, serving={variant: settings[variant]})
    change(found, 3, approval="PendingManualApproval")
    refused(world, lambda: deploy.run(with_variant, 1), "version 3 waits for approval")
    change(found, 3, approval="Approved", lineage=DOGS)
    refused(world, lambda: deploy.run(with_variant, 1), "version 3 does not fit the current data")
    del found[3]
    refused(world, lambda: deploy.run(with_variant, 1), "no model version 3: choose one of 1, 2")


def test_a_version_of_other_data_is_refused_and_named(world, env, found):
    change(found, 3, lineage=DOGS)
    said = refused(world, lambda: deploy.run(env, 3), "on data set dogs, and the current one is sample")
    assert "--allow-other-data" in said and "./inv data --env dev --source" in said


def test_without_a_number_the_newest_version_of_the_current_data_is_deployed(world, env, found):
    change(found, 3, lineage=DOGS)
    change(found, 2, approval="Rejected")
    assert deploy.run(env)["model_version"] == 1
    for number in (1, 2):
        change(found, number, lineage=DOGS)
    world.serving, world.calls = 2, []
    refused(world, lambda: deploy.run(env), "Model version 3 does not fit the current data")


def test_other_data_that_is_allowed_is_recorded_and_shown_by_status(world, env, found, capsys):
    change(found, 3, lineage=DOGS)
    result = deploy.run(env, allow_other_data=True)
    assert result["model_version"] == 3
    assert result["other_data"] == "it was trained on data set dogs, and the current one is sample"
    (recorded, *_) = served_models.history(env, ENDPOINT, None).served
    assert (recorded.package, recorded.other_data) == (package(3), result["other_data"])
    live = live_checks.wait_until_stable(env, ENDPOINT)
    assert live is not None
    assert status._other_data(env, live).startswith(f"{recorded.other_data} (--allow-other-data, 20")
    deploy.run(env, 2)
    live = live_checks.wait_until_stable(env, ENDPOINT)
    assert live is not None and status._other_data(env, live) == ""


def test_the_version_in_service_can_get_other_settings_while_the_data_are_other_ones(world, env, found):
    change(found, 2, lineage=DOGS)
    result = deploy.run(env, 2)
    assert (result["model_version"], result["outcome"]) == (2, "degraded")
    assert result["reason"].startswith("version 2 stays in service, although it was trained on data set dogs")


def test_data_that_changed_after_the_deployment_is_shown_by_status(world, env, found):
    change(found, 2, lineage=DOGS)
    live = live_checks.wait_until_stable(env, ENDPOINT)
    assert live is not None
    assert status._other_data(env, live) == "it was trained on data set dogs, and the current one is sample"


def test_a_version_without_its_artifact_is_refused(world, env, found, account):
    uri = f"s3://{env.data_bucket}/training/job/output/model.tar.gz"
    change(found, 3, artifact=uri)
    refused(world, lambda: deploy.run(env, 3), rf"{uri}, does not exist any more: deploy another version")
    env.client("s3").put_object(Bucket=env.data_bucket, Key="training/job/output/model.tar.gz", Body=b"x")
    world._lock = World._lock.__get__(world)
    assert deploy.run(env, 3)["model_version"] == 3


def test_quotas_are_checked_before_the_lock(world, env, monkeypatch):
    def too_small(*arguments):
        raise Refused("the quota is 0")

    monkeypatch.setattr(preflight, "check_deployment", too_small)
    refused(world, lambda: deploy.run(env, 3), "the quota is 0")


def test_the_same_version_again_is_unchanged(world, env):
    assert deploy.run(env, 2)["outcome"] == "unchanged"


def test_a_rollback_passes_over_a_version_that_was_rejected_since(world, env, found):
    world.publish_history(2, 3, 1)
    change(found, 3, approval="Rejected")
    assert rollback.run(env)["model_version"] == 1


def test_a_rollback_to_a_model_of_other_data_has_to_be_allowed(world, env, found):
    change(found, 1, lineage=DOGS)
    refused(world, lambda: rollback.run(env), "version 1 does not fit the current data")
    world._lock = World._lock.__get__(world)
    assert rollback.run(env, allow_other_data=True)["model_version"] == 1
    assert served_models.history(env, ENDPOINT, None).served[0].other_data
