"""The deployment stage: put a model version into service, check it, record how it went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ml.jobs import registry
from ops import endpoint_history, live_endpoint, logs, served_models
from ops.console import Stage, Step
from ops.environment import Environment
from ops.errors import OperatorError, Unfinished
from ops.live_endpoint import CHANGING, LiveEndpoint
from ops.outputs import Serving, endpoint_name, endpoint_option
from ops.terraform import stacks
from ops.terraform.saved_plans import SavedPlans
from ops.terraform.stack import Change, Stack
from ops.text import sentence
from pipeline import alarms, answers, deployable, live_checks, preflight, repair, take_back
from pipeline.notes import changes_note

ATTEMPTS = 5
LONGEST = 2000  # characters of an error, and of the log after it
ROLLING_BACK = "unexpected state 'RollingBack'"  # the provider's words, where it sees this state
IN_PROGRESS = "Cannot update in-progress endpoint"  # AWS's words

Choose = Callable[[LiveEndpoint | None], registry.Version]


def run(
    env: Environment,
    model: int | None = None,
    endpoint: str | None = None,
    *,
    stages: list[Stage] | None = None,
    saved: SavedPlans | None = None,
    allow_other_data: bool = False,
    degraded: str = "",
) -> dict[str, Any]:
    """Deploy a model version, check that the endpoint serves it, and make predictions.

    An endpoint that cannot be updated is repaired first. Only a version that passes all checks enters the history of
    what has served well.

    model: version; by default the newest approved one that was trained on the current data.
    endpoint: suffix of its name; by default the environment's first endpoint.
    saved: plans of which serving's is applied.
    allow_other_data: also if the version was trained on another data set or other classes.
    degraded: why this is not the deployment that was asked for; it is then degraded.
    """
    wanted = Wanted("deploy", saved=saved, allow_other_data=allow_other_data, degraded=degraded)
    if model is None:
        version = deployable.newest(env, allow_other_data=allow_other_data)
    else:
        version = registry.find(env, model)
    return put_into_service(env, endpoint, lambda live: version, wanted, stages)


@dataclass(frozen=True)
class Wanted:
    """How a version is put into service.

    name: of the stage and its task.
    rollback: the version served before, and the newer ones are to be forgotten.
    saved, allow_other_data, degraded: as of `run`.
    """

    name: str
    rollback: bool = False
    saved: SavedPlans | None = None
    allow_other_data: bool = False
    degraded: str = ""


def put_into_service(
    env: Environment, endpoint: str | None, choose: Choose, wanted: Wanted, stages: list[Stage] | None = None
) -> dict[str, Any]:
    """Deploy the version that `choose` returns, under the state's lock from the first look at the endpoint to the record.

    A second command thus sees what the first one has made, and not what was there before. What can be checked without
    the lock is checked before, as waiting for the lock or for the endpoint may take long.

    choose: called with the endpoint, or None if there is none; again once it can be updated.
    stages: as of `run`.
    """
    settings = env.settings
    deployable.check_hosting(env)
    full_name = endpoint_name(settings, endpoint)
    with Step(wanted.name, stages) as step:
        step("checking the model version")
        checked, other_data = None, ""
        live = live_endpoint.find(env, full_name)
        if live is None or live.status not in CHANGING:
            checked = choose(live)
            other_data = _check(env, wanted, full_name, checked, live, step)
        stack = stacks.serving(env, full_name, registry.registered(env)[0].arn, step)
        with stack.locked():
            live = repair.make_updatable(env, full_name, step)
            version = choose(live)
            if checked is None or version.arn != checked.arn:
                other_data = _check(env, wanted, full_name, version, live, step)
            _check_update(env, full_name, version.arn, live, step)
            deployed = endpoint_history.deployed(env, full_name)
            stack.variables |= {"model_package_arn": version.arn, "deployed": deployed}
            _report_alarms(deployed["alarms_in_alarm"], step)
            if wanted.degraded:
                step.degrade(wanted.degraded)
            if other_data and wanted.allow_other_data:
                step.remark(f"{other_data}: allowed by --allow-other-data")
            elif other_data:
                step.degrade(f"version {version.number} stays in service, although {other_data}")
            with take_back.if_first(env, stack, live):
                result = _carry_out(env, stack, version, live, step, wanted, other_data)
    return {**step.ending, **result}


def _check(
    env: Environment,
    wanted: Wanted,
    endpoint: str,
    version: registry.Version,
    live: LiveEndpoint | None,
    step: Step,
) -> str:
    """Check a version and the account's quotas. Returns how the version's data differs, if that is accepted."""
    other_data = deployable.check(
        env,
        version,
        in_service=live.packages.values() if live else (),
        allow_other_data=wanted.allow_other_data,
    )
    command = f"./inv {wanted.name}{env.settings.flag}"
    preflight.check_deployment(env, command, step.remark, endpoint, version.arn)
    return other_data


def _carry_out(
    env: Environment,
    stack: Stack,
    version: registry.Version,
    live: LiveEndpoint | None,
    step: Step,
    wanted: Wanted,
    other_data: str,
) -> dict[str, Any]:
    """Apply the stack, check what serves, and record it."""
    endpoint = str(stack.variables["endpoint_name"])
    models = served_models.history(env, endpoint, live)
    ringing = alarms.ringing(env, endpoint)
    try:
        changes = wanted.saved.carry_out(stack) if wanted.saved else _apply(env, stack, step)
    except OperatorError as error:
        if ROLLING_BACK in str(error) and (after := live_checks.wait_until_stable(env, endpoint, step)):
            error = live_checks.rolled_back(env, after)
            served_models.write(env, endpoint, models.with_failure(version.arn, str(error)))
        raise _with_way_back(env, endpoint, version, models, _with_log(env, endpoint, error)) from error
    target = env.outputs.serving(endpoint)
    try:
        smoke = _check_service(env, target, step, has_labels=not other_data)
    except OperatorError as error:
        served_models.write(env, endpoint, models.with_failure(version.arn, str(error)))
        raise _with_way_back(env, endpoint, version, models, _with_log(env, endpoint, error)) from error
    allowed = other_data if wanted.allow_other_data else ""
    served = models.with_success(version.arn, rollback=wanted.rollback, other_data=allowed)
    served_models.write(env, endpoint, served)
    if new := [
        alarm for alarm in alarms.ringing(env, endpoint) if alarm.name not in {a.name for a in ringing}
    ]:
        step.degrade("; ".join(alarm.text for alarm in new))
    for alarm in ringing:
        step.remark(f"before the deployment, {alarm.text}")
    if not changes:
        step.unchanged()
    step.note = (
        f"{endpoint} serves version {version.number}; smoke predictions: {smoke['note']}; "
        + changes_note(changes, "endpoint, scaling, function")
    )
    return {
        "endpoint": endpoint,
        "model_version": version.number,
        "endpoint_config": target.endpoint_config_name,
        "function": target.function_name,
        "alias": target.function_alias,
        "smoke": smoke,
        "other_data": other_data,
        "changes": [change.address for change in changes],
    }


def _apply(env: Environment, stack: Stack, step: Step) -> tuple[Change, ...]:
    """Apply the stack. Autoscaling may change the endpoint between the plan and the update: then wait, and plan again."""
    endpoint = str(stack.variables["endpoint_name"])
    for _ in range(ATTEMPTS - 1):
        try:
            return stack.up()
        except OperatorError as error:
            if IN_PROGRESS not in str(error):
                raise
            step(f"{endpoint} is being scaled: waiting before the update", important=True)
            live_checks.wait_until_stable(env, endpoint, step)
            stack.variables["deployed"] = endpoint_history.deployed(env, endpoint)
    return stack.up()


def _check_update(
    env: Environment, endpoint: str, package: str, live: LiveEndpoint | None, step: Step
) -> None:
    """Check what SageMaker can update the endpoint to, and wait until it would not roll the update back at once."""
    before = env.outputs.find_serving(endpoint)
    if live is None or before is None:
        return
    live_checks.check_convertible(env.settings, before)
    if before.model_package_arn == package and before.endpoint_config_name != live.config:
        repair.wait_for_recovery(env, endpoint, before.endpoint_config_name, step)


def _report_alarms(left_out: list[str], step: Step) -> None:
    """Degrade the stage if the update goes without rollback alarms."""
    if left_out:
        names = " and ".join(left_out)
        step.degrade(
            f"without the rollback alarm {names}, which is in ALARM already and would roll back any update"
        )


def _check_service(env: Environment, target: Serving, step: Step, *, has_labels: bool) -> dict[str, Any]:
    """Check the live endpoint, and return the result of predictions of example images.

    has_labels: whether the model has the classes of the images. Only then are wrong answers an error.
    """
    step("comparing the live endpoint with the intended one")
    live_checks.check_live(env, target)
    live_checks.check_capacity(env, target)
    step("smoke predictions")
    return answers.smoke(env, target, has_labels=has_labels)


def _with_log(env: Environment, endpoint: str, error: OperatorError) -> OperatorError:
    """Return an error about an endpoint with the last lines of its containers' log: SageMaker seldom gives the cause."""
    group = f"/aws/sagemaker/Endpoints/{endpoint}"
    text = str(error)
    if isinstance(error, Unfinished) or not (group in text or "aws_sagemaker_endpoint." in text):
        return error
    if not (lines := logs.last_lines(env, group)):
        return error
    return OperatorError(
        f"{sentence(text, LONGEST)} The last lines in {group}: {sentence(' / '.join(lines), LONGEST)}"
    )


def _with_way_back(
    env: Environment,
    endpoint: str,
    version: registry.Version,
    models: served_models.ServedModels,
    error: OperatorError,
) -> OperatorError:
    """Return the error of a deployment, with the way back if the version serves nevertheless."""
    live = live_endpoint.find(env, endpoint)
    others = [package for package in models.packages if package != version.arn]
    if live is None or live.status != "InService" or live.package != version.arn or not others:
        return error
    command = f"./inv rollback{env.settings.flag}{endpoint_option(env.settings, endpoint)}"
    return OperatorError(
        f"{error} {endpoint} serves version {version.number} now: {command} goes back to version "
        f"{others[0].rpartition('/')[2]}."
    )
