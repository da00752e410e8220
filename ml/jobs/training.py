"""Training with the tuned hyperparameters on any launcher, and the registration of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ml.jobs import data, job_inputs, names, registry, search, weights
from ml.jobs.launchers.base import Launcher, OnStatus, Training
from ml.jobs.submitter import as_submitter
from ops.environment import Environment

MAX_IMBALANCE = 10  # of the largest class's images to the smallest's; ml/container/run_setup.py has the same


@dataclass(frozen=True)
class Result:
    """A trained and registered model.

    hyperparameters: arguments of the training program.
    metrics: the last value of each, e.g. of "test:accuracy".
    seconds: of training.
    billable_seconds: of all machines together.
    """

    training_job: str
    model: registry.Version
    hyperparameters: dict[str, str]
    metrics: dict[str, float]
    seconds: float
    billable_seconds: float


def run(
    env: Environment,
    launcher: Launcher,
    *,
    instances: int | None = None,
    again: bool = False,
    on_status: OnStatus = lambda text, important=False: None,
    on_line: Callable[[str], None] = lambda line: None,
    before_start: Callable[[int], None] = lambda instances: None,
    on_warning: Callable[[str], None] = lambda text: None,
) -> tuple[Result, bool]:
    """Train and register a model, or resume the job for the same inputs.

    instances: how many machines train together; by default, as many as the settings say for SageMaker, else one.
    before_start: called with the number of machines before a new job is started.
    on_warning: called, whether or not a job is started, with what is likely to make a worse model.

    Returns the result and whether anything ran. Raises OperatorError if an earlier stage is missing or the job fails.
    """
    training = inputs(env, launcher, instances)
    launcher.check(training)
    for warning in (imbalance(training), changed_recipe(training)):
        if warning:
            on_warning(warning)
    name, job = find(training, launcher, again)
    if job is None:
        before_start(training.instances)
    done = job is not None and job["status"] == "Completed"
    outcome = launcher.outcome(name) if done else launcher.run(training, name, on_status, on_line)
    version = registry.register(
        env,
        training_job=name,
        artifact=outcome.artifact,
        metrics=outcome.metrics,
        lineage=training.lineage(name, launcher.name),
        hyperparameters=training.hyperparameters,
        run_stats=outcome.run_stats,
    )
    result = Result(
        name,
        version,
        training.hyperparameters,
        outcome.metrics,
        outcome.seconds,
        outcome.billable_seconds,
    )
    return result, not done


def imbalance(training: Training) -> str:
    """Return a warning, as a clause, if a class is much smaller than another and nothing makes up for it; else ""."""
    counts = training.manifest.counts["train"]
    smallest, largest = min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
    if (
        counts[largest] <= MAX_IMBALANCE * counts[smallest]
        or training.hyperparameters["class-balance"] != "none"
    ):
        return ""
    return (
        f"class {smallest} has {counts[smallest]} training images and class {largest} has {counts[largest]}: the model may "
        f'never predict {smallest}. Set class_balance = "weights" or "sampling" under [recipe] in '
        f"environments/{training.env.settings.environment}.toml, then run ./inv tune{training.env.settings.flag}"
    )


def changed_recipe(training: Training) -> str:
    """Return a warning, as a clause, if a hyperparameter has another value than in the search; else ""."""
    tuned, current = training.tuned, training.hyperparameters
    changed = [
        f"{name} was {before} and is {current[name]}"
        for name, before in tuned.fixed.items()
        if name != "epochs" and name in current and current[name] != before
    ]
    if not changed:
        return ""
    return (
        f"the recipe has changed since {tuned.tuning_job}: {', '.join(changed)}. What the search found may not suit it: run "
        f"./inv tune{training.env.settings.flag}"
    )


def is_due(env: Environment, launcher: Launcher) -> bool:
    """Return whether `run` would start a new job. Raises OperatorError if an earlier stage is missing."""
    _, job = find(inputs(env, launcher, None), launcher, again=False)
    return job is None


def find(training: Training, launcher: Launcher, again: bool) -> tuple[str, names.Job | None]:
    """Return the name of the job for these inputs, and its description if it is running or has succeeded."""
    digest = job_inputs.fingerprint(
        data=training.manifest.hash,
        source=training.source.digest,
        weights=weights.pinned(training.env.settings.model),
        hyperparameters=training.hyperparameters,
        **launcher.fingerprint_inputs(training),
    )
    return names.attempt(launcher.job_prefix(training), digest, launcher.describe, again=again)


def inputs(
    env: Environment, launcher: Launcher, instances: int | None, tuned: search.SearchResult | None = None
) -> Training:
    """Return the inputs of a training. Raises OperatorError if an earlier stage is missing.

    instances: as of `run`.
    tuned: the search whose hyperparameters are used; by default the latest one.
    """
    default = env.settings.training.instance_count if launcher.name == "sagemaker" else 1
    submitter = as_submitter(env)
    return Training(
        env=env,
        manifest=data.current(submitter),
        source=job_inputs.upload_source(submitter),
        tuned=tuned or search.latest(submitter),
        instances=default if instances is None else instances,
    )
