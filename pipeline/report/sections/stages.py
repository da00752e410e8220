"""The pipeline as a picture: its stages, what each made, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.report import words
from pipeline.report.inputs import Inputs
from pipeline.report.sections import cost

TITLE = "Pipeline"


@dataclass(frozen=True)
class Stage:
    """A stage. made: what it made; empty if it has not run. seconds: None if not known. command: that runs it."""

    name: str
    made: str
    seconds: float | None
    ended: datetime | None
    command: str

    @property
    def duration(self) -> str:
        """The time that it took, for people."""
        return words.duration(self.seconds) if self.seconds is not None else "time not known"

    @property
    def date(self) -> str:
        """When it ended, for people."""
        return words.moment(self.ended) if self.ended else ""


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the stages in order, with the longest time."""
    found = [_foundation(inputs), _data(inputs), *_features(inputs), _tune(inputs), _train(inputs)]
    found += [_deploy(inputs), _predict(inputs)]
    return {
        "stages": found,
        "longest": max((stage.seconds or 0 for stage in found), default=0) or 1,
        "known": any(stage.seconds for stage in found),
        "total": words.duration(sum(stage.seconds or 0 for stage in found)),
        "unknown": [stage.name for stage in found if stage.made and stage.seconds is None],
        "up": inputs.command("up"),
    }


def _timed(inputs: Inputs, name: str) -> tuple[float | None, datetime | None]:
    time = inputs.times.get(name)
    return (time.seconds, time.ended) if time else (None, None)


def _foundation(inputs: Inputs) -> Stage:
    return Stage(
        "foundation", "bucket, key, roles, registry", *_timed(inputs, "foundation"), inputs.command("up")
    )


def _data(inputs: Inputs) -> Stage:
    seconds, ended = _timed(inputs, "data")
    images = words.counted(sum(map(sum, (n.values() for n in inputs.manifest.counts.values()))), "image")
    made = f"{images} of data set {inputs.manifest.dataset}"
    return Stage("data", made, seconds, inputs.uploaded or ended, inputs.command("data"))


def _features(inputs: Inputs) -> list[Stage]:
    found = inputs.search.result.features if inputs.search else None
    if found is None:
        return []
    made = "features of the frozen backbone, computed once" + (", reused" if found.reused else "")
    return [Stage("features", made, found.seconds, None, inputs.command("tune"))]


def _tune(inputs: Inputs) -> Stage:
    search, command = inputs.search, inputs.command("tune")
    if search is None:
        return Stage("tune", "", None, None, command)
    seconds, ended = _timed(inputs, "tune")
    if search.start and search.end:
        seconds, ended = (search.end - search.start).total_seconds(), search.end
    made = f"{words.counted(len(search.trials), 'trial')}, best accuracy {words.percent(search.result.best_objective)}"
    return Stage("tune", made, seconds, ended, command)


def _train(inputs: Inputs) -> Stage:
    chosen, command = inputs.chosen, inputs.command("train")
    if chosen is None:
        return Stage("train", "", None, None, command)
    made = (
        f"{chosen.name} ({chosen.version.approval}), test accuracy {words.percent(chosen.version.accuracy)}"
    )
    return Stage("train", made, cost.training_seconds(chosen), chosen.version.created, command)


def _deploy(inputs: Inputs) -> Stage:
    command = inputs.command("deploy")
    live = [endpoint for endpoint in inputs.endpoints if endpoint.live]
    if not live:
        return Stage("deploy", "", None, None, command)
    served = ", ".join(
        f"{endpoint.outputs.endpoint_name}: version {' and '.join(endpoint.live.versions.values())}"
        for endpoint in live
        if endpoint.live
    )
    return Stage("deploy", served, *_timed(inputs, "deploy"), command)


def _predict(inputs: Inputs) -> Stage:
    time = inputs.times.get("predict")
    command = inputs.command("predict --split test")
    if time is None:
        return Stage("predict", "", None, None, command)
    return Stage(
        "predict", time.note or "predictions through the function", time.seconds, time.ended, command
    )
