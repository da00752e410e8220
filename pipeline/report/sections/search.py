"""The hyperparameter search: objective over trials, hyperparameters, their importance, cost, and shared features."""

from __future__ import annotations

from typing import Any

from ml.jobs import trials
from ml.jobs.trials import Trial
from pipeline.report import importance, words
from pipeline.report.inputs import Inputs, Search
from pipeline.report.plots import search as plots
from pipeline.report.plots.search import Point
from pipeline.report.plots.theme import Plot

TITLE = "Hyperparameter search"
OPEN = 10  # trials of the table that are shown at once
_METRIC = "validation accuracy"


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the plots and the table, or why there is no search."""
    search = inputs.search
    if search is None:
        return {"search": None, "reason": inputs.no_search}
    points = _points(search)
    found, refusal = _importance(points)
    drawn: list[Plot] = []
    if points:
        drawn.append(plots.objectives(points, _METRIC))
    if len(points) > 1:
        drawn.append(plots.parallel_coordinates(points, _METRIC))
    if found:
        drawn.append(plots.importances(found.found, found.trials))
    if any(point.usd is not None for point in points):
        drawn.append(plots.costs(points))
    numbers = {trial.name: number for number, trial in enumerate(trials.in_time(search.trials), 1)}
    names = sorted({name for trial in search.trials for name in _tuned(trial)})
    return {
        "search": search.result,
        "best": words.percent(search.result.best_objective),
        "trials": len(search.trials),
        "failed": sum(trial.objective is None for trial in search.trials),
        "plots": drawn,
        "refusal": refusal,
        "explained": found and _explained(found.explained),
        "names": names,
        "rows": [_row(search, trial, names, numbers[trial.name]) for trial in search.trials],
        "open": OPEN,
        "features": _features(search),
        "cost": words.usd(search.usd) if search.usd is not None else "",
    }


def _points(search: Search) -> list[Point]:
    """Return the trials with an objective, in time order."""
    return [
        Point(number, trial.objective, _tuned(trial), trial.usd)
        for number, trial in enumerate(trials.in_time(search.trials), 1)
        if trial.objective is not None
    ]


def _importance(points: list[Point]) -> tuple[importance.Importance | None, str]:
    found = importance.estimate([point.parameters for point in points], [point.objective for point in points])
    return (None, found) if isinstance(found, str) else (found, "")


def _explained(share: float) -> str:
    """Return how far the importances can be trusted, as a sentence."""
    if share <= 0:
        return (
            "The forest does not predict trials that it has not seen: these importances are noise until there are more "
            "trials."
        )
    return f"The forest explains {share:.0%} of the differences between trials that it has not seen."


def _tuned(trial: Trial) -> dict[str, str]:
    return {name: value for name, value in trial.hyperparameters.items() if not name.startswith("_")}


def _row(search: Search, trial: Trial, names: list[str], number: int) -> dict[str, Any]:
    values = _tuned(trial)
    return {
        "number": number,
        "name": trial.name,
        "status": trial.status,
        "values": [_short(values.get(name, "")) for name in names],
        "objective": words.percent(trial.objective),
        "seconds": words.duration(trial.elapsed),
        "usd": words.usd(trial.usd),
        "failure": trial.failure,
        "best": trial.name == search.result.best_training_job,
    }


def _short(value: str) -> str:
    """Return a hyperparameter's value with at most four significant digits."""
    try:
        return value if value.isdigit() else f"{float(value):.4g}"
    except ValueError:
        return value


def _features(search: Search) -> str:
    """Return what sharing the features of the frozen backbone saved, as a sentence; empty if they were not shared."""
    found = search.result.features
    if found is None:
        return ""
    how = (
        "were there from an earlier search" if found.reused else f"took {words.duration(found.seconds)} once"
    )
    said = f"The features of the frozen backbone {how} (job {found.job}), and all {len(search.trials)} trials read them"
    if found.saved_seconds <= 0:
        return f"{said}. That saved no time: the data set is so small that starting the job takes longer."
    saved = f" and {words.usd(found.saved_usd)}" if found.saved_usd and found.saved_usd > 0 else ""
    return f"{said}, which saved about {words.duration(found.saved_seconds)}{saved}."
