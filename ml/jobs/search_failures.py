"""Sentences about a search that failed: its reason, that of its trials, and where to read on."""

from __future__ import annotations

from collections.abc import Sequence

from ml.jobs import job_inputs, trials
from ml.jobs.follow import LOG_GROUP
from ml.jobs.trials import FAILED, Trial
from ops import logs
from ops.environment import Environment
from ops.text import sentence

MESSAGE = 2000  # characters about a failed trial


def failed(env: Environment, name: str, status: str, reason: str, found: Sequence[Trial]) -> str:
    """Return the sentences about a failed search: its reason, that of its first failed trial, and where to read on.

    found: its trials, with the repeated ones.
    """
    first_failed = next((trial for trial in trials.in_time(found) if trial.status == FAILED), None)
    first = f" {_first_failure(env, first_failed, found)}" if first_failed else ""
    stream = first_failed.name if first_failed else found[0].name if found else name
    return (
        f"The tuning job {name} ended as {status}: {sentence(reason)}{first} The logs of its trials are in {LOG_GROUP}, "
        f"streams {stream}/…. Run the same command again to start a new one."
    )


def without_objective(env: Environment, name: str, found: Sequence[Trial]) -> str:
    """Return the sentences about a search none of whose trials reported the objective."""
    ended = ", ".join(f"{trial.name} {trial.status}" for trial in trials.in_time(found)) or "it ran none"
    lines = logs.quoted(logs.last_lines(env, LOG_GROUP, f"{found[0].name}/")) if found else "there is no log"
    return (
        f"No trial of {name} reported {job_inputs.OBJECTIVE} ({ended}); {lines}. Read their logs in {LOG_GROUP}, then run "
        "the same command again with --again."
    )


def _first_failure(env: Environment, failed: Trial, found: Sequence[Trial]) -> str:
    """Return the sentence about the first failed trial: hyperparameters, reason or the end of its log, and its repetition."""
    reason = logs.with_last_lines(env, failed.failure, LOG_GROUP, f"{failed.name}/")
    again = next((trial for trial in found if trial.retry_of == failed.name), None)
    if again is None:
        repeated = ""
    elif again.failure in ("", failed.failure):
        repeated = f"; repeated as {again.name}, it ended as {again.status}"
        repeated += " for the same reason" if again.failure else ""
    else:
        why = logs.with_last_lines(env, again.failure, LOG_GROUP, f"{again.name}/")
        repeated = f"; repeated as {again.name}: {why}"
    return sentence(f"Its first failed trial, {failed.name} ({failed.settings}): {reason}{repeated}", MESSAGE)
