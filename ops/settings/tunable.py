"""The hyperparameters that a search can tune, with the values that the training program accepts for each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

from ops.settings.recipe import RecipeSettings


@dataclass(frozen=True)
class Tunable:
    """The values of one hyperparameter.

    kind: "integer", "real" or "choice".
    limits: smallest and largest number, inclusive.
    choices: of kind "choice".
    """

    kind: str
    limits: tuple[float, float] = (-math.inf, math.inf)
    choices: tuple[str, ...] = ()

    def problem(self, value: str | float) -> str:
        """Return why the training program would refuse a value, as a clause; empty if it accepts the value."""
        if self.kind == "choice":
            return "" if value in self.choices else f"{value!r} is not one of {', '.join(self.choices)}"
        try:
            number = float(int(value) if self.kind == "integer" else float(value))
        except ValueError:
            return f"{value!r} is not {'an integer' if self.kind == 'integer' else 'a number'}"
        low, high = self.limits
        return "" if low <= number <= high else f"{value} is not between {low:g} and {high:g}"


def _recipe() -> dict[str, Tunable]:
    """Return the hyperparameters of the recipe. The settings have the limits and choices of the program."""
    found = {}
    for name, setting in RecipeSettings.model_fields.items():
        flag = name.replace("_", "-")
        if choices := get_args(setting.annotation):
            found[flag] = Tunable("choice", choices=choices)
            continue
        limits = [getattr(c, kind) for c in setting.metadata for kind in ("ge", "le") if hasattr(c, kind)]
        found[flag] = Tunable("integer" if setting.annotation is int else "real", (limits[0], limits[1]))
    return found


TUNABLE: dict[str, Tunable] = {
    "batch-size": Tunable("integer", (1, 65_536)),
    "learning-rate": Tunable("real", (1e-8, 100)),
    "optimizer": Tunable("choice", choices=("adamw", "sgd")),
    "weight-decay": Tunable("real", (0, 100)),
    "head": Tunable("choice", choices=("linear", "original")),
    **_recipe(),
}
"""By name, as an argument of the training program."""
