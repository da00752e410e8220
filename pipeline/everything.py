"""The whole pipeline: every stage in order, and a summary."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ml.jobs import compatibility, registry
from ml.jobs import data as datasets
from ops import console, outcome
from ops.aws import aws_errors
from ops.console import Stage, Step, say
from ops.environment import Environment
from ops.errors import OperatorError, Refused
from ops.outcome import Outcome
from ops.outputs import MissingOutputs, OutdatedOutputs
from ops.settings import Settings
from pipeline import data, deploy, foundation, predict, preflight, stage_times, train, tune


def run(
    env: Environment,
    source: str | None = None,
    skip_bad: bool = False,
    *,
    split: str | None = None,
    began: float,
    task: str = "up",
) -> dict[str, Any]:
    """Run every stage, print a summary, and return the stages' results by name, with the outcome of all.

    A stage that is refused or fails ends the run: the stages after it are not run. A degraded one does not.

    source, skip_bad, split: as of the data stage.
    began: time.monotonic() when the task started, before it may have started the embedded AWS.
    task: which runs it, for messages.

    Returns also `stages`: name, outcome, reason, seconds and note of each.
    """
    running = _Run(env, f"./inv {task}{env.settings.flag}" if task == "up" else f"./inv {task}")
    is_new = not _has_foundation(env)
    running.stage("preflight", lambda: _check_choices(env, source, split))
    if is_new:  # before the key, which costs a dollar a month
        running.stage("quotas", lambda: _check_quotas(running))
    running.stage("foundation", lambda: foundation.apply(env, running.stages))
    running.stage("data", lambda: data.run(env, source, skip_bad, running.stages, split=split))
    if not is_new:  # now it is known which stages have something to do
        running.stage("quotas", lambda: _check_quotas(running))
    running.stage("tune", lambda: tune.run(env, stages=running.stages))
    running.stage("train", lambda: train.run(env, stages=running.stages))
    running.stage("deploy", lambda: _deploy(running))
    running.stage("predict", lambda: _predict(running))
    seconds = time.monotonic() - began
    ended = running.ending()
    _record_times(env, running.stages)
    _summarize(env.settings, running.stages, seconds, Outcome(ended["outcome"]))
    return {**ended, "seconds": round(seconds, 1), **running.results}


def _record_times(env: Environment, stages: list[Stage]) -> None:
    """Keep the times of the stages in AWS, for the report. After a failure they are not: AWS may be the reason."""
    if console.ending(stages)["outcome"] in (Outcome.DONE, Outcome.UNCHANGED, Outcome.DEGRADED):
        stage_times.record(env, stages)


class _Run:
    """The stages that have run, with their results."""

    def __init__(self, env: Environment, command: str) -> None:
        self.env, self.command = env, command
        self.stages: list[Stage] = []
        self.results: dict[str, Any] = {}
        self._ended_by: Stage | None = None

    def stage(self, name: str, call: Callable[[], Any]) -> None:
        """Run a stage, unless an earlier one was refused or has failed, and keep its result."""
        if self._ended_by is not None:
            reason = f"{self._ended_by.name} {_PAST[self._ended_by.outcome]}"
            self.stages.append(Stage(name, outcome=Outcome.NOT_RUN, reason=reason))
            return
        before, began = len(self.stages), time.monotonic()
        try:
            with aws_errors(self.command):
                result = call()
        except OperatorError as error:
            del self.stages[before:]
            seconds = time.monotonic() - began
            self._ended_by = Stage(name, seconds, outcome=outcome.of_error(error), reason=str(error))
            self.stages.append(self._ended_by)
        else:
            if result is not None:
                self.results[name] = result

    def ending(self) -> dict[str, Any]:
        """Return outcome and reason of all, and the stages, for --json."""
        listed = [{**vars(stage), "seconds": round(stage.seconds, 1)} for stage in self.stages]
        return {**console.ending(self.stages), "stages": listed}


_PAST = {Outcome.REFUSED: "was refused", Outcome.FAILED: "failed"}


def _has_foundation(env: Environment) -> bool:
    try:
        return bool(env.outputs.foundation.bucket)
    except (MissingOutputs, OutdatedOutputs):
        return False


def _check_choices(env: Environment, source: str | None, split: str | None) -> None:
    """Check settings and options that need no answer of AWS, before the first stage. Raises OperatorError."""
    preflight.check_settings(env)
    datasets.check_source(source or env.settings.dataset)
    if split:
        datasets.parse_shares(split)


def _check_quotas(running: _Run) -> None:
    """Check the quotas of all stages, before the first of them costs money."""
    with Step("quotas", running.stages) as step:
        step("checking the account's quotas")
        preflight.check_everything(running.env, running.command, step.remark)
        step.note = "enough for tuning, training and the endpoint"


def _deploy(running: _Run) -> dict[str, Any]:
    """Deploy the model of this run if it is approved; else an older approved one of the same data, if there is one.

    Not a newer version of somebody else's, and never a model of other data.
    """
    env, trained = running.env, running.results["train"]
    number: int = trained["model_version"]
    if trained["approved"]:
        return deploy.run(env, number, stages=running.stages)
    manifest = datasets.current(env)
    usable = (version for version in registry.versions(env) if version.is_approved)
    older = next((v for v in usable if not compatibility.difference(v.lineage, manifest)), None)
    if older is None:
        raise Refused(
            f"No approved model was trained on the current data set {manifest.dataset}, so nothing was deployed: "
            f"{trained['reason']}."
        )
    instead = f"version {older.number}, of the same data set, is deployed instead of version {number}"
    return deploy.run(env, older.number, stages=running.stages, degraded=instead)


def _predict(running: _Run) -> dict[str, Any] | None:
    """Measure the accuracy through the function, if there is one."""
    if running.results["deploy"]["function"]:
        return predict.accuracy(running.env, stages=running.stages)
    reason = (
        "an asynchronous endpoint has no function; the smoke prediction of deploy went through the endpoint"
    )
    running.stages.append(Stage("predict", outcome=Outcome.NOT_RUN, reason=reason))
    return None


def _summarize(settings: Settings, stages: list[Stage], seconds: float, ended: Outcome) -> None:
    """Print every stage with its outcome and seconds, and useful next commands if all is well."""
    rows = [
        (
            stage.name,
            stage.outcome,
            "" if stage.outcome is Outcome.NOT_RUN else f"{stage.seconds:.1f}",
            "; ".join(text for text in (stage.note, stage.reason) if text),
        )
        for stage in stages
    ]
    console.table(
        f"Environment {settings.environment}",
        ["stage", "outcome", "seconds", "result"],
        [*rows, ("total", ended, f"{seconds:.1f}", "")],
    )
    if ended.exit_status:
        return
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
