"""MLflow tracking: a finished training as a run of the server that MLFLOW_TRACKING_URI names.

It happens on the machine that runs `./inv train`: training jobs have no network. The trained model does not depend on it:
what goes wrong is reported, and the training has succeeded.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ml.jobs.training import Result
from ml.runner import results
from ops import s3
from ops.environment import Environment
from ops.text import clause

VARIABLE = "MLFLOW_TRACKING_URI"
JOB_TAG = "training_job"
# Of MLflow: without them, a server that does not answer holds the command up for minutes, and MLflow reports its use.
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_BATCH = 100  # parameters in one request; ten times as many metrics


def track(env: Environment, result: Result, uri: str) -> str:
    """Log a training to MLflow, once. Returns a sentence about it; empty without a URI.

    uri: of the tracking server or store, as in MLFLOW_TRACKING_URI.
    Never raises: the sentence has the reason if the run could not be logged.
    """
    if not uri:
        return ""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow.tracking import MlflowClient
    except ImportError:
        return (
            f"{VARIABLE} is set and mlflow is not installed, so that MLflow has no run of this training: install it with "
            f".venv/bin/pip install mlflow-skinny, or unset {VARIABLE}"
        )
    try:
        return _log(env, result, MlflowClient(tracking_uri=uri))
    except Exception as error:  # of MLflow, its server, its store: none of them may fail a training
        reason = clause(_without_password(str(error) or type(error).__name__, uri))
        return f"MLflow at {_without_password(uri, uri)} has no run of this training: {reason}"


def _log(env: Environment, result: Result, client: Any) -> str:
    name = env.settings.prefix
    experiment = client.get_experiment_by_name(name)
    identifier = experiment.experiment_id if experiment else client.create_experiment(name)
    known = client.search_runs(
        [identifier], f"tags.{JOB_TAG} = '{result.training_job}' and attributes.status = 'FINISHED'"
    )
    if known:
        return f"MLflow run {known[0].info.run_id} of experiment {name} has this training already"
    run = client.create_run(identifier, tags=_tags(result), run_name=result.training_job).info.run_id
    try:
        _log_values(env, result, client, run)
    except Exception:
        client.set_terminated(run, status="FAILED")
        raise
    client.set_terminated(run)
    return f"MLflow run {run} of experiment {name}"


def _tags(result: Result) -> dict[str, str]:
    """Return lineage and registered version. Metrics are left out: they are values of the run."""
    lineage = {
        name: value
        for name, value in result.model.lineage.items()
        if name.replace("_", ":", 1) not in result.metrics
    }
    return {
        **lineage,
        JOB_TAG: result.training_job,
        "model_version": str(result.model.number),
        "model_package_arn": result.model.arn,
    }


def _log_values(env: Environment, result: Result, client: Any, run: str) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    files = {
        name: content
        for name in (results.EVALUATION, results.HISTORY, results.CARD)
        if (content := s3.get(env, s3.in_data_bucket(env, f"training/{result.training_job}/{name}")))
    }
    history = json.loads(files.get(results.HISTORY, b"[]"))
    metrics = [
        Metric(name.replace(":", "/"), value, now, epoch)
        for epoch, values in enumerate(history, 1)
        for name, value in values.items()
    ]
    seen = {metric.key for metric in metrics}
    last = {name.replace(":", "/"): value for name, value in result.metrics.items()}
    metrics += [Metric(name, value, now, len(history)) for name, value in last.items() if name not in seen]
    parameters = [Param(name, value) for name, value in result.hyperparameters.items() if value]
    for start in range(0, len(parameters), _BATCH):
        client.log_batch(run, params=parameters[start : start + _BATCH])
    for start in range(0, len(metrics), 10 * _BATCH):
        client.log_batch(run, metrics=metrics[start : start + 10 * _BATCH])
    with tempfile.TemporaryDirectory(prefix="mlflow-") as folder:
        for name, content in files.items():
            file = Path(folder, name)
            file.write_bytes(content)
            client.log_artifact(run, str(file))


def _without_password(text: str, uri: str) -> str:
    """Return a text without the user and the password that the server's URI has."""
    credentials, at, _ = urlsplit(uri).netloc.rpartition("@")
    return text.replace(f"{credentials}{at}", "") if at else text
