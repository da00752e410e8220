"""The settings, the roots and the modules agree: every input exists, and a default has one value.

A default of an operator's choice is in ops/settings, a default of a module in Terraform. Roots have none of these.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ops.environment import Environment
from ops.paths import ROOT
from ops.settings import Settings
from ops.settings.serving import (
    AsynchronousSettings,
    ServerlessSettings,
    ServingSettings,
    ShadowVariantSettings,
)
from ops.terraform import hcl, stacks
from ops.terraform.stack import Stack

pytestmark = pytest.mark.usefixtures("moto_aws")

TERRAFORM = ROOT / "terraform"
DIFFERENT = {
    "inference_function.reserved_concurrency": "Lambda writes no reserved concurrency as -1, the settings leave it out",
    "network.flow_logs.enabled": "the module needs a role and a log group for flow logs, which the root always has",
}
REPEATED = {"host.spot": "the root itself reads it, also when the host is destroyed without variables"}
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/image-classifier-dev/1"


NO_DEFAULT = {None, "null", "{}"}


@pytest.fixture
def settings() -> Settings:
    """Return the settings of a file that has the required ones only."""
    learning_rate = {"min": 0.001, "max": 0.1}
    return Settings(
        environment="dev", region="us-east-1", tuning={"continuous": {"learning-rate": learning_rate}}
    )


@pytest.fixture
def made(settings, tmp_path, monkeypatch) -> list[Stack]:
    """Return all stacks of these settings; serving once for each way to serve."""
    for name in ("ops.terraform.stack.WORK", "ops.terraform.stacks.WORK"):
        monkeypatch.setattr(name, tmp_path)

    def quiet(text: str) -> None:
        """Ignore progress."""

    ways = [
        ServingSettings(shadow=ShadowVariantSettings(model=2)),
        ServingSettings(serverless=ServerlessSettings()),
        ServingSettings(asynchronous=AsynchronousSettings()),
    ]
    env, workbench = Environment(settings), settings.workbench
    serving = [Environment(settings.model_copy(update={"serving": way})) for way in ways]
    return [
        stacks.access(env, quiet),
        stacks.foundation(env, quiet),
        *(stacks.serving(each, "image-classifier-dev", PACKAGE, quiet) for each in serving),
        stacks.training_host(env, quiet, settings.ec2.variables()),
        stacks.workbench(
            env,
            quiet,
            {**workbench.model_dump(exclude={"internet"}), "internet_access": workbench.internet},
        ),
    ]


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield path and value of everything in nested objects."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@functools.cache
def passed_on(root: str) -> dict[str, tuple[str, str]]:
    """Return module and module input for each path that a root passes to a module unchanged."""
    found = {}
    for path in (TERRAFORM / root).glob("*.tf"):
        for block in hcl.load(path).get("module", []):
            for call in block.values():
                arguments = {k: v for k, v in call.items() if k != "source"}
                for target, expression in leaves(arguments):
                    if match := re.match(r"\$\{(?:merge\()?var\.([\w.]+)[,}]", str(expression)):
                        found[match.group(1)] = (call["source"].rpartition("/")[2], target)
    return found


@functools.cache
def inputs(folder: str) -> dict[str, hcl.Input]:
    """Return the inputs of a root or module by path."""
    return {i.name: i for i in hcl.read(TERRAFORM / folder).inputs}


def module_input(root: str, path: str) -> tuple[str, hcl.Input] | None:
    """Return the module input that gets a path of a root, with its full name; None if the root uses it itself."""
    for prefix, (module, target) in passed_on(root).items():
        if path == prefix or path.startswith(f"{prefix}."):
            name = target + path.removeprefix(prefix)
            declared = inputs(f"modules/{module}").get(name)  # None: an entry of a map
            return (f"{module}.{name}", declared) if declared else None
    return None


def sent(made: list[Stack]) -> set[tuple[str, str, str]]:
    """Return root, path and JSON value of everything that is sent to the roots."""
    return {
        (stack.root, path, json.dumps(value))
        for stack in made
        for path, value in leaves(stack.variables)
        if not path.startswith("tags.")
    }


def test_every_stack_gets_the_tags(made, settings):
    assert len(made) > 5
    assert all(stack.variables["tags"] == settings.cost_tags != {} for stack in made)


def test_every_variable_that_is_sent_exists(made):
    unknown = set()
    for root, path, _ in sent(made):
        declared = inputs(root)
        if path not in declared and not module_input(root, path):
            unknown.add((root, path))
    assert unknown == set()


def test_a_default_of_the_settings_is_that_of_the_module(made):
    compared, different = 0, set()
    for root, path, value in sent(made):
        found = module_input(root, path)
        if found and found[1].default not in (None, "{}"):
            compared += 1
            if json.loads(value) != json.loads(found[1].default):
                different.add((found[0], value, found[1].default))
    assert {name for name, _, _ in different} == set(DIFFERENT), different
    assert compared > 40


@pytest.mark.parametrize("root", ["access", "foundation", "serving", "training_host", "workbench"])
def test_a_root_does_not_repeat_a_default_of_a_module(root):
    repeated = set()
    for path, declared in inputs(root).items():
        found = module_input(root, path)
        if found and NO_DEFAULT.isdisjoint((declared.default, found[1].default)):
            repeated.add(path)
    assert repeated - REPEATED.keys() == set()
