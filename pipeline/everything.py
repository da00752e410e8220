"""The whole pipeline: every stage in order, and a summary."""

from __future__ import annotations

import time
from typing import Any

from ops import console
from ops.console import Stage, Step, say
from ops.environment import Environment
from ops.outputs import MissingOutputs, OutdatedOutputs
from ops.settings import Settings
from pipeline import data, deploy, foundation, predict, preflight, train, tune


def run(
    env: Environment,
    source: str | None = None,
    skip_bad: bool = False,
    *,
    split: str | None = None,
    began: float,
) -> dict[str, Any]:
    """Run every stage, print a summary, and return the stages' results by name.

    source, skip_bad, split: as of the data stage.
    began: time.monotonic() when the task started, before it may have started the embedded AWS.
    """
    stages: list[Stage] = []
    is_new = not _has_foundation(env)
    if is_new:  # before the key, which costs a dollar a month
        _check_quotas(env, stages)
    results: dict[str, Any] = {
        "foundation": foundation.apply(env, stages),
        "data": data.run(env, source, skip_bad, stages, split=split),
    }
    if not is_new:  # now it is known which stages have something to do
        _check_quotas(env, stages)
    results["tune"] = tune.run(env, stages=stages)
    results["train"] = train.run(env, stages=stages)
    # The model of this run if it is approved, not a newer version of somebody else's.
    trained = results["train"]
    version = trained["model_version"] if trained["approval"] == "Approved" else None
    results["deploy"] = deploy.run(env, version, stages=stages)
    results["predict"] = predict.accuracy(env, stages=stages)
    seconds = time.monotonic() - began
    _summarize(env.settings, stages, seconds)
    return {"seconds": round(seconds, 1), **results}


def _has_foundation(env: Environment) -> bool:
    try:
        return bool(env.outputs.foundation.bucket)
    except (MissingOutputs, OutdatedOutputs):
        return False


def _check_quotas(env: Environment, stages: list[Stage]) -> None:
    """Check the quotas of all stages, before the first of them costs money."""
    with Step("quotas", stages) as step:
        step("checking the account's quotas")
        preflight.check_everything(env, f"./inv up{env.settings.flag}", step.remark)
        step.note = "enough for tuning, training and the endpoint"


def _summarize(settings: Settings, stages: list[Stage], seconds: float) -> None:
    """Print every stage with its seconds, and useful next commands."""
    rows = [(stage.name, f"{stage.seconds:.1f}", stage.note) for stage in stages]
    console.table(
        f"Environment {settings.environment}",
        ["stage", "seconds", "result"],
        [*rows, ("total", f"{seconds:.1f}", "")],
    )
    env = settings.flag
    say("Next:")
    for command, effect in (
        (f"./inv predict{env} --image FILE", "predict the class of your image"),
        (f"./inv train{env} --instances 2", "the same training on two instances"),
        (f"./inv ec2.train{env}", "the same on an EC2 host, which terminates afterwards"),
        (f"./inv deploy{env} --endpoint multi", "a second endpoint"),
        (f"./inv status{env}", "what exists and what is in service"),
        (f"./inv down{env}", "remove everything"),
    ):
        say(f"  [bold]{command:<38}[/] {effect}", markup=True)
