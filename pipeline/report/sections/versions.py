"""The model versions compared: metrics, hyperparameters, and the classes of two of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.report import words
from pipeline.report.documents import Evaluation
from pipeline.report.inputs import Inputs, Model
from pipeline.report.plots.evaluation import differences
from pipeline.report.plots.theme import Plot, short

TITLE = "Versions"
COLUMNS = 5  # versions whose hyperparameters are side by side
DIFFERENCES = 16  # classes
_VALUE = 20  # characters of a hyperparameter
_OF_THE_DATA = (
    "data-hash",
    "expected-images",
)  # arguments of the program, which the table of versions has in words


def content(inputs: Inputs) -> dict[str, Any]:
    """Return the table of versions, the hyperparameters that differ, and the plot of two versions."""
    plot, reason = _compared(inputs)
    columns = _columns(inputs)
    return {
        "rows": [_row(inputs, model) for model in inputs.models],
        "command": inputs.command("train"),
        "columns": [model.name for model in columns],
        "differing": _differing(columns),
        "pair": [model.name for model in inputs.compared or ()],
        "plot": plot,
        "reason": reason,
    }


def _row(inputs: Inputs, model: Model) -> dict[str, Any]:
    version, found = model.version, model.evaluation
    calibration = found.calibration if found else None
    served = [e for e in inputs.endpoints if e.live and version.arn in e.live.packages.values()]
    return {
        "number": version.number,
        "chosen": model is inputs.chosen,
        "approval": version.approval,
        "because": version.because,
        "serves": ", ".join(endpoint.outputs.endpoint_name for endpoint in served),
        "accuracy": words.percent(version.accuracy),
        "share": version.accuracy or 0.0,
        "balanced": words.percent(found.balanced_accuracy if found else None),
        "ece": words.percent(calibration.ece_after if calibration else None),
        "on": version.lineage.get("launcher", "sagemaker"),
        "architecture": version.lineage.get("architecture", words.NONE),
        "same_data": version.lineage.get("data_hash") == inputs.manifest.hash,
        "created": words.moment(version.created),
    }


def _columns(inputs: Inputs) -> list[Model]:
    """Return the versions whose hyperparameters are compared: the pair, then the newest."""
    pair = list(inputs.compared or ())
    others = [model for model in inputs.models if model not in pair]
    chosen = [*pair, *others][:COLUMNS]
    return sorted((model for model in chosen if model.hyperparameters), key=lambda m: m.version.number)


def _differing(models: Sequence[Model]) -> list[tuple[str, list[str]]]:
    """Return the hyperparameters that are not equal in all versions, with the value of each."""
    names = sorted({name for model in models for name in model.hyperparameters})
    rows = [
        (name, [short(model.hyperparameters.get(name, words.NONE), _VALUE) for model in models])
        for name in names
        if name not in _OF_THE_DATA
    ]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _compared(inputs: Inputs) -> tuple[Plot | None, str]:
    """Return the plot of the classes of two versions, with a remark, or why there is none."""
    if inputs.compared is None:
        return (
            None,
            f"There is one version so far. {inputs.command('train')} makes another one to compare with.",
        )
    before, after = inputs.compared
    if without := [m.name for m in inputs.compared if not (m.evaluation and m.evaluation.per_class)]:
        have = "has" if len(without) == 1 else "have"
        return None, f"The classes cannot be compared: {' and '.join(without)} {have} no stored evaluation."
    assert before.evaluation and after.evaluation
    found = _changes(before.evaluation, after.evaluation)
    if not found:
        return None, f"No class is recognized better or worse by {after.name} than by {before.name}."
    same = before.version.lineage.get("data_hash") == after.version.lineage.get("data_hash")
    remark = (
        ""
        if same
        else "They were measured on different data, so that a difference may be that of the images."
    )
    return differences([n for n, _ in found], [d for _, d in found], before.name, after.name), remark


def _changes(before: Evaluation, after: Evaluation) -> list[tuple[str, float]]:
    """Return the classes whose recall differs most, the best change first."""
    old = {result.name: result.recall for result in before.per_class}
    changes = [
        (result.name, result.recall - known)
        for result in after.per_class
        if result.recall is not None
        and (known := old.get(result.name)) is not None
        and result.recall != known
    ]
    largest = sorted(changes, key=lambda change: -abs(change[1]))[:DIFFERENCES]
    return sorted(largest, key=lambda change: -change[1])
