"""The search of a tuning job: AWS's strategies and parameter ranges on Optuna's samplers and pruners."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

# Scaling type Auto uses a logarithmic scale for positive ranges that span at least this factor.
AUTO_LOGARITHMIC = 1000.0
STARTUP_TRIALS = 4  # random trials before the Bayesian strategy starts
EARLY_STOPPING_TRIALS = 3  # finished trials before early stopping (Auto) starts


class Parameter:
    """One parameter range: Optuna's distribution, and the conversion of its values to hyperparameters."""

    def __init__(self, kind: str, spec: dict[str, Any]) -> None:
        """kind: "Continuous", "Integer" or "Categorical". spec: AWS's range, with strings as values."""
        self.name, self.kind = spec["Name"], kind
        self.reversed = False
        if kind == "Categorical":
            self.distribution: BaseDistribution = CategoricalDistribution(tuple(spec["Values"]))
            return
        number = int if kind == "Integer" else float
        low, high = number(spec["MinValue"]), number(spec["MaxValue"])
        scaling = spec.get("ScalingType", "Auto")
        if scaling == "Auto":
            scaling = "Logarithmic" if low > 0 and high / low >= AUTO_LOGARITHMIC else "Linear"
        self.reversed = scaling == "ReverseLogarithmic"  # logarithmic in 1 - x
        if self.reversed:
            low, high = 1 - high, 1 - low
        logarithmic = scaling != "Linear" and low < high
        if kind == "Integer":
            self.distribution = IntDistribution(int(low), int(high), log=logarithmic)
        else:
            self.distribution = FloatDistribution(low, high, log=logarithmic)

    def text(self, value: Any) -> str:
        """Convert a value of the distribution to a hyperparameter."""
        if self.kind == "Categorical":
            return str(value)
        return str(1 - value if self.reversed else value)

    def value(self, text: str) -> Any:
        """Convert a hyperparameter to a value of the distribution. Raises ValueError if it is out of range."""
        if self.kind == "Categorical":
            value: Any = text
        else:
            value = int(text) if self.kind == "Integer" else float(text)
            value = 1 - value if self.reversed else value
            low, high = self.distribution.low, self.distribution.high  # type: ignore[attr-defined]
            if self.kind == "Continuous" and any(
                math.isclose(value, end, rel_tol=1e-9) for end in (low, high)
            ):
                value = min(max(value, low), high)  # rounding: 1 - (1 - x) is not always x
        if not self.distribution._contains(self.distribution.to_internal_repr(value)):
            raise ValueError(f"{self.name}={text} is out of range")
        return value


def parameters(ranges: dict[str, Any]) -> list[Parameter]:
    """Convert the ParameterRanges of a request."""
    return [
        Parameter(kind, spec)
        for kind in ("Continuous", "Integer", "Categorical")
        for spec in ranges.get(f"{kind}ParameterRanges", [])
    ]


def grid(space: list[Parameter]) -> list[dict[str, str]]:
    """Return every combination of categorical parameters, in a fixed order."""
    names = [parameter.name for parameter in space]
    values = [parameter.distribution.choices for parameter in space]  # type: ignore[attr-defined]
    return [dict(zip(names, combination, strict=True)) for combination in itertools.product(*values)]


class Search:
    """Proposes hyperparameters and learns from results. Not thread-safe.

    A trial is a number: the position of its `propose` or `add` call.
    """

    def __init__(
        self, config: dict[str, Any], trials_before: int = 0, max_resource: int | None = None
    ) -> None:
        """config: HyperParameterTuningJobConfig.

        max_resource: epochs of a trial, for Hyperband.
        trials_before: number of trials before a restart, and a number of its parents, so that a search with a seed does
        not repeat their trials.
        """
        self.space = parameters(config["ParameterRanges"])
        self.strategy = config["Strategy"]
        seed = config.get("RandomSeed")
        seed = None if seed is None else (seed + trials_before) % 2**32
        maximize = config["HyperParameterTuningJobObjective"]["Type"] == "Maximize"
        self._grid = grid(self.space) if self.strategy == "Grid" else []
        self._distributions = {parameter.name: parameter.distribution for parameter in self.space}
        self._study = optuna.create_study(
            study_name="tuning",
            direction="maximize" if maximize else "minimize",
            sampler=_sampler(self.strategy, seed),
            pruner=_pruner(config, max_resource),
        )
        self._steps: dict[int, int] = {}
        self._proposed = 0

    @property
    def size(self) -> int | None:
        """Number of trials of a grid search; None for other strategies."""
        return len(self._grid) if self.strategy == "Grid" else None

    @property
    def stops_early(self) -> bool:
        """Whether `report` may request that a trial stops."""
        return not isinstance(self._study.pruner, optuna.pruners.NopPruner)

    def propose(self) -> tuple[int, dict[str, str]]:
        """Return the number and the hyperparameters of a new trial."""
        if self._grid:
            texts = self._grid[self._proposed % len(self._grid)]
            self._study.enqueue_trial(texts)
        trial = self._study.ask(self._distributions)
        self._proposed += 1
        values = {p.name: p.text(trial.params[p.name]) for p in self.space}
        return trial.number, values

    def add(self, texts: dict[str, str], objective: float | None, running: bool = False) -> int | None:
        """Add a trial of a parent job, or one from before a restart.

        Returns its number, or None if its hyperparameters are out of range.
        """
        try:
            values = {parameter.name: parameter.value(texts[parameter.name]) for parameter in self.space}
        except (KeyError, ValueError):
            return None
        state = TrialState.RUNNING if running else TrialState.FAIL
        if objective is not None and not running:
            state = TrialState.COMPLETE
        self._study.add_trial(
            create_trial(
                state=state,
                value=objective if state == TrialState.COMPLETE else None,
                params=values,
                distributions=self._distributions,
            )
        )
        self._proposed += 1
        return len(self._study.trials) - 1

    def report(self, trial: int, objective: float) -> bool:
        """Record an intermediate objective value. Return whether the trial should stop early."""
        frozen = self._study.trials[trial]
        step = self._steps[trial] = self._steps.get(trial, 0) + 1
        live = optuna.Trial(self._study, frozen._trial_id)
        live.report(objective, step)
        return live.should_prune()

    def finish(self, trial: int, objective: float | None, stopped: bool = False) -> None:
        """Record a trial's final objective value, or None. stopped: whether it was stopped early."""
        if objective is None or math.isnan(objective):
            self._study.tell(trial, state=TrialState.FAIL)
        elif stopped and self._steps.get(trial):
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, objective)


def _sampler(strategy: str, seed: int | None) -> optuna.samplers.BaseSampler:
    if strategy in ("Random", "Grid"):
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(
        n_startup_trials=STARTUP_TRIALS, multivariate=True, constant_liar=True, seed=seed
    )


def _pruner(config: dict[str, Any], max_resource: int | None) -> optuna.pruners.BasePruner:
    if config["Strategy"] == "Hyperband":
        limits = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
        return optuna.pruners.HyperbandPruner(
            min_resource=limits.get("MinResource", 1), max_resource=max_resource or "auto"
        )
    if config.get("TrainingJobEarlyStoppingType") == "Auto":
        return optuna.pruners.MedianPruner(n_startup_trials=EARLY_STOPPING_TRIALS)
    return optuna.pruners.NopPruner()
