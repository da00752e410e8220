"""The data stage: fetch images, check them, upload what has changed; here, or in a processing job."""

from __future__ import annotations

from typing import Any

from ml.jobs import data, running
from ml.jobs.data.stage import Result
from ml.jobs.data.stage import run as make_current
from ml.jobs.processing import job, sources
from ops.console import Stage, Step, say
from ops.environment import Environment
from ops.errors import Refused
from ops.facts.instance_types import check_instance_type
from ops.paths import WORK
from pipeline import preflight

PLACES = ("here", "sagemaker")


def run(
    env: Environment,
    source: str | None = None,
    skip_bad: bool = False,
    stages: list[Stage] | None = None,
    *,
    split: str | None = None,
) -> dict[str, Any]:
    """Make a data set the current one, on this machine.

    source: as `./inv data --source`; by default the environment's.
    skip_bad: leave out bad images, instead of refusing the data set.
    split: shares of train, valid and test, such as `70/15/15`, to make the splits that are missing.
    """
    if split:
        data.parse_shares(split)
    # Without a foundation, fail before the download, which may take minutes.
    env.outputs.foundation  # noqa: B018
    with Step("data", stages) as step:

        def progress(what: str, done: int, total: int) -> None:
            step(f"{what} {done:,} of {total:,}" if total else f"{what} {done:,}")

        result = make_current(
            env,
            source or env.settings.dataset,
            WORK / "data",
            skip_bad=skip_bad,
            split=split,
            progress=progress,
            on_note=step.remark,
        )
        _end(step, result)
    return _shown(step, result)


def run_on_sagemaker(
    env: Environment,
    source: str | None = None,
    skip_bad: bool = False,
    *,
    split: str | None = None,
    instance_type: str | None = None,
) -> dict[str, Any]:
    """Make a data set the current one, in a processing job. The options are those of `run`.

    instance_type: by default the environment's. Follows the job of this source that is running, if there is one.

    Returns what `run` does, and the job's name, seconds and USD.
    """
    if split:
        data.parse_shares(split)
    env = job.with_instance_type(env, instance_type)
    kind = env.settings.data.processing.instance_type
    check_instance_type(kind, "processing")
    source = source or env.settings.dataset
    sources.check(env, source)
    with Step("data") as step:
        step("looking for a running job")
        found = job.run(
            env,
            job.Options(source=source, skip_bad=skip_bad, split=split or ""),
            on_status=step,
            before_start=lambda: preflight.check_data(env, f"./inv data{env.settings.flag}", step.remark),
        )
        _end(step, found.result)
        cost = "" if found.usd is None else f", {found.usd:.4f} USD"
        step.note += f"; job {found.name}: {found.seconds:,.0f} s on {kind}{cost}"
    return {
        **_shown(step, found.result),
        "processing_job": found.name,
        "seconds": found.seconds,
        "usd": found.usd,
    }


def stop(env: Environment) -> dict[str, Any]:
    """Stop the running data jobs, without waiting."""
    stopped = running.stop(env, "processing", job.prefix(env.settings))
    say(f"Stopping: {', '.join(stopped) or 'no job is running'}.")
    return {"stopped": stopped}


def check_place(on: str) -> None:
    """Raise Refused if `on` is no value of --on."""
    if on not in PLACES:
        raise Refused(f"--on {on}: give {' or '.join(PLACES)}.")


def _end(step: Step, result: Result) -> None:
    if not (result.sent or result.deleted):
        step.unchanged()
    step.note = result.summary


def _shown(step: Step, result: Result) -> dict[str, Any]:
    """Print the remarks. Returns the result for --json."""
    for remark in result.remarks:
        say(f"  {remark}")
    return {**step.ending, **result.model_dump(exclude={"remarks"})}
