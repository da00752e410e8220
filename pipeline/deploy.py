"""The deployment stages: put a model version into service, check it, roll back to the one before."""

from __future__ import annotations

from typing import Any

from ml.jobs import predictions, registry
from ops import endpoint_history
from ops.console import Stage, Step
from ops.environment import Environment
from ops.facts.instance_types import check_instance_type
from ops.outputs import endpoint_name
from ops.terraform import stacks
from ops.terraform.saved_plans import SavedPlans
from pipeline import live_checks
from pipeline.notes import changes_note


def run(
    env: Environment,
    model: int | None = None,
    endpoint: str | None = None,
    *,
    stages: list[Stage] | None = None,
    name: str = "deploy",
    saved: SavedPlans | None = None,
) -> dict[str, Any]:
    """Deploy a model version, check that the endpoint serves it, and make a prediction.

    model: version; by default the newest approved one.
    endpoint: suffix of its name; by default the environment's first endpoint.
    saved: plans of which serving's is applied.
    """
    settings = env.settings
    if not settings.serving.serverless:
        check_instance_type(settings.serving.instance_type, "hosting")
    version = registry.choose(env, model)
    live_checks.check_image(env, version.arn)
    for variant in (settings.serving.second, settings.serving.shadow):
        if variant:
            registry.choose(env, variant.model)
    full_name = endpoint_name(settings, endpoint)
    with Step(name, stages) as step:
        step("waiting until the endpoint is stable")
        if live_checks.wait_until_stable(env, full_name) and (before := env.outputs.find_serving(full_name)):
            live_checks.check_convertible(settings, before)
        stack = stacks.serving(env, full_name, version.arn, step)
        changes = saved.carry_out(stack) if saved else stack.up()
        target = env.outputs.serving(full_name)
        step("comparing the live endpoint with the intended one")
        live_checks.check_live(env, target)
        live_checks.check_capacity(env, target)
        step("smoke prediction")
        image, label = predictions.example(env)
        answer = (
            predictions.invoke(env, target, {"s3": str(image), "top_k": 1})
            if target.function_name
            else predictions.invoke_async(env, target, image)
        )["predictions"][0]
        step.note = (
            f"{full_name} serves version {version.number}; smoke prediction {answer['label']} (is {label}); "
            + changes_note(changes, "endpoint, scaling, function")
        )
    return {
        "endpoint": full_name,
        "model_version": version.number,
        "endpoint_config": target.endpoint_config_name,
        "function": target.function_name,
        "alias": target.function_alias,
        "smoke": {**answer, "expected": label},
        "changes": [change.address for change in changes],
    }


def roll_back(env: Environment, endpoint: str | None = None) -> dict[str, Any]:
    """Deploy the model that the endpoint served before, with the checks of a deployment."""
    serving = env.outputs.serving(endpoint)
    package = endpoint_history.previous_package(env, serving.endpoint_name)
    return run(env, int(package.rpartition("/")[2]), endpoint, name="rollback")
