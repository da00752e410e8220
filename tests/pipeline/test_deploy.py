"""Deployment and rollback work in every state that an update can leave, in one command."""

import contextlib
import time

import pytest

from ml.jobs import predictions, registry
from ops import console, served_models
from ops.errors import OperatorError
from ops.outputs import parameter
from ops.terraform import stacks
from pipeline import deploy, live_checks, models, preflight, rollback
from tests.environments import with_clients, with_settings
from tests.pipeline.deployment_kit import ENDPOINT, World, config, package, versions


@pytest.fixture
def world(account, dev, serving, fast_clock, monkeypatch) -> World:
    """Versions 1 and 2 have served well, 2 serves; 3 is bad; 4 is good and new."""
    account.env = dev
    made = World(account, serving)
    made.serving, made.answers_500 = 2, {3}
    made.publish_outputs(2)
    made.publish_history(2, 1)
    monkeypatch.setattr(registry, "versions", lambda env: versions(1, 2, 3, 4))
    monkeypatch.setattr(stacks, "serving", made.stack)
    monkeypatch.setattr(preflight, "check_deployment", lambda *_: None)
    monkeypatch.setattr(live_checks, "check_capacity", lambda env, target: None)
    monkeypatch.setattr(predictions, "examples", lambda env, most: [("s3://bucket/cat.png", "cat")])
    monkeypatch.setattr(registry, "of_package", lambda env, arn: None)
    monkeypatch.setattr(predictions, "invoke", made.invoke)
    return made


@pytest.fixture
def env(dev, world):
    return with_clients(dev, sagemaker=world, cloudwatch=world)


def write(env, name: str, value: str) -> None:
    env.client("ssm").put_parameter(
        Name=parameter(env.settings, f"{name}/{ENDPOINT}"), Value=value, Type="String", Overwrite=True
    )


def forget(env, name: str) -> None:
    env.client("ssm").delete_parameter(Name=parameter(env.settings, f"{name}/{ENDPOINT}"))


def as_intended(world, env):
    pass


def rolled_back_by_sagemaker(world, env):
    world.publish_outputs(3)
    world.reason = "alarm"


def bad_version_serves(world, env):
    world.serving = 3
    world.publish_outputs(3)
    world.in_alarm = {f"{ENDPOINT}-5xx": 1000, f"{config(3)}-5xx": 1000}


def updating(world, env):
    world.passing = ["Updating"] * 3


def rolling_back(world, env):
    rolled_back_by_sagemaker(world, env)
    world.passing = ["Updating", "RollingBack"]


def failed(world, env):
    world.status, world.reason = "Failed", "no capacity"


def rollback_failed(world, env):
    world.status = "UpdateRollbackFailed"


def rollback_failed_for_good(world, env):
    world.status, world.restorable = "UpdateRollbackFailed", False


def deleting(world, env):
    world.passing, world.after = ["Deleting", "Deleting"], world._disappear


def out_of_service(world, env):
    world.status = "OutOfService"


def missing(world, env):
    world.serving = None


def history_missing(world, env):
    forget(env, "served_models")
    write(env, "endpoint_history", "[]")


def history_corrupt(world, env):
    write(env, "served_models", "{")
    write(env, "endpoint_history", "{")


def outputs_missing(world, env):
    forget(env, "serving")


def interrupted_before_the_update(world, env):
    """Terraform has written nothing yet: the configuration of version 3 exists, version 2 serves."""


def interrupted_during_the_update(world, env):
    world.passing, world.after = ["Updating"], lambda: setattr(world, "serving", 3)


def interrupted_after_the_update(world, env):
    world.serving = 3


STATES = [
    as_intended,
    rolled_back_by_sagemaker,
    bad_version_serves,
    updating,
    rolling_back,
    failed,
    rollback_failed,
    rollback_failed_for_good,
    deleting,
    out_of_service,
    missing,
    history_missing,
    history_corrupt,
    outputs_missing,
    interrupted_before_the_update,
    interrupted_during_the_update,
    interrupted_after_the_update,
]
ROLLS_BACK_TO = {
    rolled_back_by_sagemaker: 2,
    bad_version_serves: 2,
    rolling_back: 2,
    interrupted_during_the_update: 2,
    interrupted_after_the_update: 2,
}


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_good_version_is_deployed_in_every_state(world, env, state):
    state(world, env)
    result = deploy.run(env, 4)
    assert (result["model_version"], world.serving, world.status) == (4, 4, "InService")
    history = served_models.history(env, ENDPOINT, None)
    assert history.packages[0] == package(4)
    assert package(3) not in history.packages
    if state not in (history_missing, history_corrupt):
        assert history.packages == [package(4), package(2), package(1)]


@pytest.mark.parametrize(
    "state",
    [s for s in STATES if s not in (history_missing, history_corrupt)],
    ids=lambda state: state.__name__,
)
def test_a_rollback_succeeds_in_every_state(world, env, state):
    state(world, env)
    expected = ROLLS_BACK_TO.get(state, 1)
    rollback.run(env)
    assert (world.serving, world.status) == (expected, "InService")
    history = served_models.history(env, ENDPOINT, None)
    assert history.packages == [package(version) for version in range(expected, 0, -1)]
    if expected == 2:  # a second one goes further back, and not to the bad version
        rollback.run(env)
        assert world.serving == 1


@pytest.mark.parametrize("state", [history_missing, history_corrupt], ids=lambda state: state.__name__)
def test_a_rollback_without_a_history_names_the_command(world, env, state):
    state(world, env)
    with pytest.raises(
        OperatorError, match=r"no earlier model .* ./inv deploy --env dev --model N deploys one"
    ):
        rollback.run(env)
    assert world.calls == []


@pytest.mark.parametrize(
    ("state", "calls"),
    [
        (as_intended, ["update to 4"]),
        (failed, ["delete", "create 4"]),
        (out_of_service, ["delete", "create 4"]),
        (rollback_failed, ["restore", "update to 4"]),
        (rollback_failed_for_good, ["restore", "delete", "create 4"]),
        (deleting, ["create 4"]),
        (missing, ["create 4"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_an_endpoint_is_deleted_only_if_nothing_else_helps(world, env, state, calls, capsys, request):
    console.console.cache_clear()
    request.addfinalizer(console.console.cache_clear)
    state(world, env)
    deploy.run(env, 4)
    assert world.calls == calls
    said = capsys.readouterr().err
    assert ("answers no requests until it is created again" in said) == ("delete" in calls)


def test_the_version_in_service_is_not_deployed_again(world, env):
    deploy.run(env, 2)
    assert world.calls == []
    assert served_models.history(env, ENDPOINT, None).packages == [package(2), package(1)]


def test_a_version_that_does_not_start_is_recorded_with_its_reason(world, env):
    world.fails_to_start = {3}
    with pytest.raises(
        OperatorError, match=r"rolled the update .* \(no ping\): model version 2 is in service"
    ):
        deploy.run(env, 3)
    history = served_models.history(env, ENDPOINT, None)
    assert history.packages == [package(2), package(1)]
    assert history.failed.package == package(3) and "no ping" in history.failed.reason
    deploy.run(env, 4)  # a healthy version after a failed one
    assert world.serving == 4 and served_models.history(env, ENDPOINT, None).failed is None


def test_a_rollback_that_terraform_sees_is_explained_the_same(world, env):
    """Then the stack has not written its outputs: they name the version before."""
    world.fails_to_start, world.shows_rollback = {3}, True
    with pytest.raises(
        OperatorError, match=r"rolled the update .* \(no ping\): model version 2 is in service"
    ):
        deploy.run(env, 3)
    assert served_models.history(env, ENDPOINT, None).failed.package == package(3)
    assert rollback.run(env)["model_version"] == 2  # SageMaker has already done it
    assert rollback.run(env)["model_version"] == 1


def test_a_bad_version_that_serves_names_the_way_back(world, env):
    with pytest.raises(
        OperatorError,
        match=r"answered 502\. image-classifier-dev serves version 3 now: \./inv rollback --env dev goes back to version 2",
    ):
        deploy.run(env, 3)
    assert served_models.history(env, ENDPOINT, None).failed.package == package(3)


def test_the_first_version_has_no_way_back(world, env):
    world.serving = None
    world.publish_history()
    with pytest.raises(OperatorError, match=r"answered 502\.$"):
        deploy.run(env, 3)


def test_a_second_attempt_waits_until_the_alarms_of_the_first_have_recovered(world, env, fast_clock):
    world.answers_500 = set()
    rolled_back_by_sagemaker(world, env)
    world.in_alarm = {f"{config(3)}-5xx": 5}
    deploy.run(env, 3)
    assert world.serving == 3 and fast_clock


def test_an_alarm_that_a_deployment_set_off_degrades_it(world, env, monkeypatch):
    carry_out = world._apply

    def apply(variables):
        world.in_alarm = {f"{ENDPOINT}-latency": 1000}
        return carry_out(variables)

    monkeypatch.setattr(world, "_apply", apply)
    result = deploy.run(env, 4)
    assert result["outcome"] == "degraded"
    assert result["reason"] == f"the alarm {ENDPOINT}-latency is in ALARM (Threshold Crossed: 5 > 1)"


def test_an_alarm_of_before_is_mentioned_and_does_not_degrade_the_repair(world, env, capsys):
    console.console.cache_clear()
    bad_version_serves(world, env)
    assert deploy.run(env, 4)["outcome"] != "degraded"
    assert f"before the deployment, the alarm {ENDPOINT}-5xx is in ALARM" in capsys.readouterr().err
    console.console.cache_clear()


def test_an_update_without_a_rollback_alarm_is_degraded(world, env):
    names = {"rollback_alarm_names": ["latency-of-the-shop"]}
    deployment = env.settings.serving.deployment.model_copy(update=names)
    world.in_alarm = {"latency-of-the-shop": 1000}
    result = deploy.run(with_settings(env, serving={"deployment": deployment}), 4)
    assert (
        result["outcome"] == "degraded"
        and "without the rollback alarm latency-of-the-shop" in result["reason"]
    )


def test_a_failed_update_ends_with_the_log_of_its_containers(world, env):
    logs, group = env.client("logs"), f"/aws/sagemaker/Endpoints/{ENDPOINT}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="AllTraffic/i-1")
    now = int(time.time() * 1000)
    lines = [
        {"timestamp": now, "message": "Traceback"},
        {"timestamp": now + 1, "message": "KeyError: 'classes'"},
    ]
    logs.put_log_events(logGroupName=group, logStreamName="AllTraffic/i-1", logEvents=lines)
    world.fails_to_start = {3}
    with pytest.raises(OperatorError, match=rf"The last lines in {group}: Traceback / KeyError: 'classes'\."):
        deploy.run(env, 3)


def test_alarms_that_do_not_recover_are_named(world, env):
    rolled_back_by_sagemaker(world, env)
    world.in_alarm = {f"{config(3)}-5xx": 10_000}
    with pytest.raises(
        OperatorError,
        match=r"00000003-latency is still in ALARM after 10 minutes \(the alarm .*00000003-5xx is in ALARM "
        r"\(Threshold Crossed: 5 > 1\)\), .*--model N",
    ):
        deploy.run(env, 3)
    deploy.run(env, 4)  # another version does not wait for them
    assert world.serving == 4


def test_a_version_that_is_no_longer_registered_is_skipped(world, env, monkeypatch):
    world.publish_history(4, 2, 1)
    world.serving = 4
    world.publish_outputs(4)
    monkeypatch.setattr(registry, "versions", lambda env: versions(1, 3, 4))
    rollback.run(env)
    assert world.serving == 1


def test_an_endpoint_that_cannot_be_deleted_is_an_error(world, env, monkeypatch, fast_clock):
    failed(world, env)
    monkeypatch.setattr(world, "delete_endpoint", lambda EndpointName: None)
    with pytest.raises(OperatorError, match="still exists 15 minutes after its deletion began"):
        deploy.run(env, 4)


def test_nothing_registered_names_the_command(world, env, monkeypatch):
    monkeypatch.setattr(registry, "versions", lambda env: [])
    for command in (deploy.run, rollback.run):
        with pytest.raises(OperatorError, match=r"No model is registered yet: run \./inv train --env dev"):
            command(env)


def test_a_deployment_that_waited_for_another_sees_what_that_one_has_made(world, env, monkeypatch):
    """The facts for Terraform are read under the lock: with older ones it would delete the live configuration."""
    take = world._lock

    @contextlib.contextmanager
    def wait_for_the_other():
        world.serving = 4
        world.publish_outputs(4)
        world.publish_history(4, 2, 1)
        with take():
            yield

    monkeypatch.setattr(world, "_lock", wait_for_the_other)
    deploy.run(env, 1)
    assert world.deployed["live"] == config(4).removeprefix(f"{ENDPOINT}-")
    assert served_models.history(env, ENDPOINT, None).packages == [package(v) for v in (1, 4, 2)]


def test_the_models_name_the_version_in_service_and_the_failed_one(world, env):
    """Of SageMaker, not of the outputs, which name the version of the last deployment."""
    with pytest.raises(OperatorError):
        world.fails_to_start = {3}
        deploy.run(env, 3)
    assert env.outputs.serving().model_package_arn == package(3)
    used = {row["number"]: row["in_service"] for row in models.show(env)}
    assert used[2] == [ENDPOINT] and used[1] == used[4] == []
    assert used[3][0].startswith(f"{ENDPOINT}: deployment failed 20")


def test_an_update_waits_for_autoscaling_that_starts_after_the_plan(world, env):
    world.scalings = 2
    deploy.run(env, 4)
    assert (world.serving, world.calls) == (4, ["update to 4"])
    world.scalings = 100
    with pytest.raises(OperatorError, match="Cannot update in-progress endpoint"):
        deploy.run(env, 1)
