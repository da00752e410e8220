"""Find a learning rate: a training job that tries growing rates for a hundred steps and makes no model."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace

from pydantic import BaseModel

from ml.jobs import data, search, training
from ml.jobs.launchers.base import FIND_LR, Launcher, OnStatus
from ml.jobs.submitter import as_submitter
from ops import s3
from ops.documents import decode
from ops.environment import Environment
from ops.errors import OperatorError, Refused

RESULT = "learning-rate.json"  # in the job's model.tar.gz


class Found(BaseModel):
    """What the job measured.

    suggested: peak learning rate to train with; None if the loss fell at no rate.
    rates: learning rate of each step.
    losses: smoothed loss before the step.
    batch_size, optimizer: which the suggestion is for.
    """

    suggested: float | None
    rates: list[float]
    losses: list[float]
    batch_size: int
    optimizer: str


def run(
    env: Environment,
    launcher: Launcher,
    *,
    instances: int | None = None,
    again: bool = False,
    on_status: OnStatus = lambda text, important=False: None,
    on_line: Callable[[str], None] = lambda line: None,
    before_start: Callable[[int], None] = lambda instances: None,
) -> tuple[str, Found, bool]:
    """Run the job, or resume the job for the same inputs. The options are those of `training.run`.

    Batch size and optimizer are those of the latest search for this data and network; before the first search, the
    training program's defaults.

    Returns the job's name, what it measured, and whether anything ran. Raises OperatorError if there is no data, or if
    the job fails.
    """
    inputs = replace(training.inputs(env, launcher, instances, _tuned(env)), task=FIND_LR)
    launcher.check(inputs)
    name, job = training.find(inputs, launcher, again)
    if job is None:
        before_start(inputs.instances)
    done = job is not None and job["status"] == "Completed"
    outcome = launcher.outcome(name) if done else launcher.run(inputs, name, on_status, on_line)
    return name, _read(env, outcome.artifact), not done


def _tuned(env: Environment) -> search.SearchResult:
    """Return the latest search without its learning rate, or one that found nothing if none fits data and network."""
    submitter = as_submitter(env)
    try:
        found = search.latest(submitter)
    except Refused:
        manifest = data.current(submitter)
        return search.SearchResult(
            tuning_job="",
            model=env.settings.model.model_dump(),
            data_hash=manifest.hash,
            dataset=manifest.dataset,
            best_training_job="",
            best_objective=0.0,
            hyperparameters={},
        )
    kept = {name: value for name, value in found.hyperparameters.items() if name != "learning-rate"}
    return found.model_copy(update={"hyperparameters": kept})


def _read(env: Environment, artifact: str) -> Found:
    """Return the result in a job's artifact. artifact: s3:// URI of its model.tar.gz."""
    content = s3.get(as_submitter(env), s3.S3Uri.parse(artifact))
    again = f"run ./inv train{env.settings.flag} --find-lr --again"
    if content is None:
        raise OperatorError(f"The result {artifact} is gone: {again}.")
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            member = archive.extractfile(RESULT)
            assert member is not None  # it is a file
            text = member.read()
    except (tarfile.TarError, KeyError, EOFError, OSError) as error:
        raise OperatorError(f"The result {artifact} has no {RESULT}: {again}.") from error
    return decode(Found, text, what=f"The result {artifact}", remedy=again)
