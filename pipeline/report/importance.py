"""Which hyperparameters decide the objective, estimated from the trials of a search.

A random forest learns the objective from the hyperparameters; the importance of one is how much worse the forest
predicts when its values are shuffled (permutation importance). The same question as that of fANOVA, whose forest is
similar; Optuna has both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MINIMUM = 10  # trials with an objective
_TREES, _REPEATS = 100, 10
_LOGARITHMIC = (
    20  # a hyperparameter is learned by its logarithm if its largest value is so many times its smallest
)


@dataclass(frozen=True)
class Importance:
    """The result. found: names and shares of the explained differences, which add up to 1, the largest first.

    trials: how many it is estimated from.
    explained: share of the variance of the objective that the forest predicts for trials that it has not seen (R²).
    """

    found: list[tuple[str, float]]
    trials: int
    explained: float


def estimate(parameters: Sequence[dict[str, str]], objectives: Sequence[float]) -> Importance | str:
    """Return the importance of the hyperparameters, or why it cannot be estimated, as a sentence.

    parameters: of each trial, as text, the same names in each.
    objectives: of each trial.
    """
    names = sorted({name for trial in parameters for name in trial})
    varied = [name for name in names if len({trial.get(name) for trial in parameters}) > 1]
    if len(objectives) < MINIMUM:
        return (
            f"The importance of the hyperparameters is not shown: it needs at least {MINIMUM} trials with a result, and "
            f"this search has {len(objectives)}. Raise tuning.max_jobs."
        )
    if not varied or max(objectives) == min(objectives):
        what = "no hyperparameter was varied" if not varied else "all trials have the same result"
        return f"The importance of the hyperparameters is not shown: {what}."
    return _by_forest(varied, parameters, objectives)


def _by_forest(
    names: list[str], parameters: Sequence[dict[str, str]], objectives: Sequence[float]
) -> Importance | str:
    from sklearn.ensemble import RandomForestRegressor  # takes a second or two to import
    from sklearn.inspection import permutation_importance

    table = list(
        zip(*(_numbers([trial.get(name, "") for trial in parameters]) for name in names), strict=True)
    )
    forest = RandomForestRegressor(_TREES, min_samples_leaf=2, bootstrap=True, oob_score=True, random_state=0)
    forest.fit(table, list(objectives))
    explained = float(forest.oob_score_)
    shuffled = permutation_importance(forest, table, list(objectives), n_repeats=_REPEATS, random_state=0)
    raw = [max(0.0, float(value)) for value in shuffled.importances_mean]
    if sum(raw) == 0:
        return (
            "The importance of the hyperparameters is not shown: the trials do not depend on them measurably."
        )
    shares = sorted(zip(names, (value / sum(raw) for value in raw), strict=True), key=lambda pair: -pair[1])
    return Importance(shares, len(objectives), explained)


def _numbers(values: list[str]) -> list[float]:
    """Return the values of a hyperparameter as numbers: their own, their logarithms, or their places in order."""
    try:
        found = [float(value) for value in values]
    except ValueError:
        order = {value: float(at) for at, value in enumerate(sorted(set(values)))}
        return [order[value] for value in values]
    low, high = min(found), max(found)
    return [math.log(value) for value in found] if low > 0 and high / low >= _LOGARITHMIC else found
