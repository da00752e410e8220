"""The tuning stage: search the hyperparameters, show the trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml.jobs import search
from ml.jobs.follow import LOG_GROUP
from ml.jobs.search import FeaturesResult
from ml.jobs.submitter import as_submitter
from ml.jobs.trials import FAILED, Trial
from ops import console, logs
from ops.console import Stage, Step, say
from ops.environment import Environment
from ops.facts.instance_types import check_instance_type
from ops.settings.tuning import ORIGINAL, ORIGINAL_INSTANCE_TYPE, chosen
from ops.text import clause
from pipeline import preflight
from pipeline.notes import local_time, number


def with_options(env: Environment, *, original: bool = False, **options: Any) -> Environment:
    """Return an environment whose settings under [tuning] are overridden by the options of the command.

    original: the search of the original walk-through, also its instance type; other options change that one.
    options: settings by name; None leaves a setting as it is. Raises OperatorError for a value that is not valid.
    """
    settings = env.settings
    given = {name: value for name, value in options.items() if value is not None}
    if not original and not given:
        return env
    changes: dict[str, Any] = {"tuning": chosen(settings.tuning, {**(ORIGINAL if original else {}), **given})}
    if original:
        changes["training"] = settings.training.model_copy(update={"instance_type": ORIGINAL_INSTANCE_TYPE})
    return Environment(settings.model_copy(update=changes), env.session)


def run(env: Environment, again: bool = False, stages: list[Stage] | None = None) -> dict[str, Any]:
    """Search the hyperparameters on the validation split. again: also if a search with these inputs has succeeded."""
    check_instance_type(env.settings.training.instance_type, "training")
    with Step("tune", stages) as step:
        step("looking for an existing search")
        result, trials, ran = search.run(
            env,
            again=again,
            before_start=lambda: preflight.check_tuning(env, f"./inv tune{env.settings.flag}", step.remark),
            on_progress=lambda status, done, total: step(f"{status}: {done} of {total} trials ended"),
            on_features=lambda text: step(f"computing the features of the images once: {text}"),
        )
        unchanged = "" if ran else " (unchanged)"
        for line in (failures := _failures(env, trials)):
            step.remark(line)
        failed = f"; {len(failures)} of {_asked_for(trials)} trials failed" if failures else ""
        if lost := _lost(env, trials):
            step.degrade(lost)
        if not ran:
            step.unchanged()
        step.note = f"{result.tuning_job}: validation accuracy {result.best_objective:.4f}{unchanged}{failed}"
    _show_trials(trials)
    if result.features:
        say(f"  {_saving(result.features)}")
    best = {k: v for k, v in result.hyperparameters.items() if not k.startswith("_")}
    shown = ", ".join(f"[bold]{name}[/]={value}" for name, value in sorted(best.items()))
    say(f"  best hyperparameters: {shown}", markup=True)
    return {
        **step.ending,
        "tuning_job": result.tuning_job,
        "best_training_job": result.best_training_job,
        "best_objective": result.best_objective,
        "hyperparameters": best,
        "ran": ran,
        "features": result.features and result.features.model_dump(),
        "trials": [vars(trial) for trial in trials],
    }


def _saving(features: FeaturesResult) -> str:
    """Return what it saved that the features of the frozen backbone were computed once, as a sentence."""
    before = "had computed" if features.reused else "computed"
    money = f" and {abs(features.saved_usd):.4f} USD" if features.saved_usd is not None else ""
    verb = "saved" if features.saved_seconds >= 0 else "took, as the data set is small, another"
    return (
        f"{features.job} {before} the features of all images once, in {features.computing_seconds:.1f} s: "
        f"this {verb} {abs(features.saved_seconds):.0f} s of training{money}"
    )


def _lost(env: Environment, trials: Sequence[Trial]) -> str:
    """Return how many of the settings' trials gave no objective, even when repeated, as a clause; empty if all did."""
    wanted, given = env.settings.tuning.number_of_jobs, sum(trial.objective is not None for trial in trials)
    return "" if given >= wanted else f"only {given} of {wanted} trials gave a result (tuning.max_jobs)"


def _asked_for(trials: Sequence[Trial]) -> int:
    """Return the number of trials without the repeated ones."""
    return sum(not trial.retry_of for trial in trials)


def _failures(env: Environment, trials: Sequence[Trial]) -> list[str]:
    """Return a line for each failed trial: hyperparameters, reason, and how it ended when it was repeated."""
    if not any(trial.status == FAILED for trial in trials):
        return []
    submitter = as_submitter(env)
    repeated = {trial.retry_of: trial for trial in trials if trial.retry_of}
    lines = []
    for trial in trials:
        if trial.status != FAILED or trial.retry_of:
            continue
        again = repeated.get(trial.name)
        if again is None:
            outcome = "not repeated, as another failed trial failed again"
        elif again.objective is None:
            outcome = f"repeated as {again.name}, {again.status}: {clause(again.failure or 'no objective')}"
        else:
            outcome = f"repeated as {again.name}, validation accuracy {again.objective:.4f}"
        reason = logs.with_last_lines(submitter, trial.failure, LOG_GROUP, f"{trial.name}/")
        lines.append(f"trial {trial.name} ({trial.settings}) failed: {reason}; {outcome}")
    return lines


def _show_trials(trials: Sequence[Trial]) -> None:
    """Print a table with the columns of the SageMaker SDK's table of a search."""
    names = sorted({name for trial in trials for name in trial.hyperparameters if not name.startswith("_")})
    columns = [
        *names,
        "TrainingJobName",
        "TrainingJobStatus",
        "FinalObjectiveValue",
        "TrainingStartTime",
        "TrainingEndTime",
        "TrainingElapsedTimeSeconds",
        "USD",
    ]
    rows = [
        [
            *(number(trial.hyperparameters.get(name, "")) for name in names),
            trial.name,
            trial.status,
            number(trial.objective),
            local_time(trial.start),
            local_time(trial.end),
            trial.elapsed and f"{trial.elapsed:.0f}",
            "" if trial.usd is None else f"{trial.usd:.4f}",
        ]
        for trial in trials
    ]
    console.table("Trials", columns, rows)
