"""Plans of an environment as if nothing existed: on an embedded AWS of their own, so that they need no account."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops.console import Step
from ops.settings import Settings


def plans_as_new(
    settings: Settings, chosen: Sequence[str], home: Path, step: Step
) -> Iterator[tuple[str, dict]]:
    """The chosen stacks in order, each with its plan as `terraform show -json` gives it.

    Serving is planned with what the foundation's plan would hand over, and a well-formed model version.
    home: a folder for the embedded AWS; what lies there is removed.
    """
    from ops import stacks
    from ops.checks import plans

    def planned(name: str, stack) -> dict:
        step(f"planning {name}")
        return stack.show(stack.plan())

    with _scratch_aws(settings, home, step):
        if "access" in chosen:
            yield "access", planned("access", stacks.access(settings, step, plan_only=True))
        if {"foundation", "serving"} & set(chosen):
            foundation = planned("foundation", stacks.foundation(settings, step, plan_only=True))
            if "foundation" in chosen:
                yield "foundation", foundation
        if "serving" in chosen:
            package = _publish(settings, plans.handover(foundation))
            yield "serving", planned("serving", stacks.serving(settings, settings.prefix, package, step))


def _publish(settings: Settings, handover: dict) -> str:
    """Hand over as an apply of the foundation would; returns the well-formed ARN of a model version."""
    from ops.aws import client

    client("ssm", settings.region).put_parameter(
        Name=f"/{settings.project}/{settings.environment}/foundation",
        Type="String",
        Value=json.dumps(handover),
    )
    group = handover["model_package_group_arn"].replace(":model-package-group/", ":model-package/")
    return f"{group}/1"


@contextlib.contextmanager
def _scratch_aws(settings: Settings, home: Path, step: Step) -> Iterator[None]:
    """This process pointed at an embedded AWS of its own, whatever the environment."""
    from local_aws import daemon

    daemon.destroy(home)  # of a run that was killed
    before = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    try:
        step("starting an embedded AWS to plan on")
        daemon.start(home)
        _set_aws_variables(daemon.variables(home, settings.region))
        yield
    finally:
        _set_aws_variables(before)
        daemon.destroy(home)


def _set_aws_variables(variables: dict[str, str]) -> None:
    from ops import aws

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(variables)
    aws.forget()
