"""Runs one tuning job: proposes hyperparameters, starts training jobs in parallel, learns from their results."""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from moto.core.exceptions import ServiceException

from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.training.reporting import OnMetric
from embedded_aws.services.sagemaker.training.run import OnEnd
from embedded_aws.services.sagemaker.tuning.records import (
    OBJECTIVE,
    TuningJob,
    objective_status,
    objective_value,
)
from embedded_aws.services.sagemaker.tuning.requests import training_request
from embedded_aws.services.sagemaker.tuning.validation import max_resource

log = logging.getLogger(__name__)

Finish = Callable[[TuningJob, str, "str | None"], None]

MAX_FAILURES = 5  # trials without any success after which AWS gives up


class Trainer(Protocol):
    """Runs the training jobs of a tuning job: the SageMaker backend."""

    training_records: dict[str, TrainingJob]

    def start_training(
        self,
        request: dict[str, Any],
        tuning_job_arn: str | None = None,
        share: int = 1,
        on_metric: OnMetric | None = None,
        on_end: OnEnd | None = None,
    ) -> TrainingJob: ...

    def restart_training(
        self,
        job: TrainingJob,
        share: int = 1,
        on_metric: OnMetric | None = None,
        on_end: OnEnd | None = None,
    ) -> None: ...

    def stop_training(self, job: TrainingJob) -> None: ...

    def tuning_parents(self, job: TuningJob) -> list[TuningJob]: ...

    def tuning_trials(self, job: TuningJob) -> list[TrainingJob]: ...


class TuningRun:
    """A running tuning job, in its own thread. It keeps the job's record up to date."""

    def __init__(self, job: TuningJob, trainer: Trainer, finish: Finish) -> None:
        """finish(job, status, reason): called once, to set the record's terminal status."""
        self.job, self._trainer, self._finish = job, trainer, finish
        # Here, because Optuna and NumPy take 0.15 s and 40 MB, and most runs of the embedded AWS tune nothing.
        from embedded_aws.services.sagemaker.tuning.search import Search

        limits = job.config["ResourceLimits"]
        self._parallel = limits["MaxParallelTrainingJobs"]
        self._limit = limits.get("MaxNumberOfTrainingJobs")
        self._max_runtime = limits.get("MaxRuntimeInSeconds")
        parents = job.request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
        before = len(job.trials) + zlib.crc32(repr(parents).encode()) * bool(parents)
        self._search = Search(job.config, before, max_resource(job.config, job.definition))
        if self._search.size is not None:
            self._limit = self._search.size
        self._running: dict[str, int] = {}  # number of the trial, by training job
        self._events: queue.SimpleQueue[TrainingJob | tuple[str, float] | None] = queue.SimpleQueue()
        self._halted = False
        self._closing = False  # start no more trials
        self._thread = threading.Thread(target=self._run, name=f"tuning {job.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop the trials, then the job."""
        self._events.put(None)

    def halt(self) -> None:
        """Start no more trials because the embedded AWS stops."""
        self._halted = True
        self._events.put(None)

    def _run(self) -> None:
        job = self.job
        ending: tuple[str, str | None]
        try:
            for parent in self._trainer.tuning_parents(job):
                for trial in self._trainer.tuning_trials(parent):
                    self._search.add(parent.trials[trial.name], objective_value(trial))
            self._resume()
            self._loop()
        except ServiceException as error:
            ending = "Failed", f"A training job could not be created: {error}"
        except Exception:
            log.exception("tuning job %s", job.name)
            ending = "Failed", "InternalServerError: We encountered an internal error. Please try again."
        else:
            ending = self._ending()
        if not self._halted:
            self._close()
            self._finish(job, *ending)

    def _ending(self) -> tuple[str, str | None]:
        if self.job.status == "Stopping":
            return "Stopped", None
        if any(objective_status(trial) == "Succeeded" for trial in self._trainer.tuning_trials(self.job)):
            return "Completed", None
        return "Failed", self._failure()

    def _loop(self) -> None:
        deadline = time.monotonic() + self._max_runtime if self._max_runtime else None
        while not self._halted:
            if self.job.status == "Stopping" or self._satisfied():
                self._close()
            while not self._closing and len(self._running) < self._parallel and self._may_start():
                self._launch()
            if not self._running:
                return
            try:
                event = self._events.get(timeout=deadline and max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                deadline = None
                self._close()
                continue
            if isinstance(event, TrainingJob):
                trial = self._running.pop(event.name)
                failed = event.status == "Failed"
                value = None if failed else objective_value(event)
                self._search.finish(trial, value, event.status == "Stopped")
            elif event is not None:
                self._report(*event)

    def _may_start(self) -> bool:
        return self._limit is None or len(self.job.trials) < self._limit

    def _launch(self) -> None:
        trial, tuned = self._search.propose()
        name = f"{self.job.name}-{len(self.job.trials) + 1:03d}-{uuid.uuid4().hex[:8]}"
        self.job.trials = {**self.job.trials, name: tuned}
        self._running[name] = trial
        self._trainer.start_training(
            training_request(self.job, name, tuned), self.job.arn, **self._hooks(name)
        )

    def _hooks(self, name: str) -> dict[str, Any]:
        def on_metric(metric: str, value: float) -> None:
            if metric == OBJECTIVE:
                self._events.put((name, value))

        share = min(self._parallel, self._limit or self._parallel)
        return {
            "share": share,
            "on_metric": on_metric if self._search.stops_early else None,
            "on_end": self._events.put,
        }

    def _resume(self) -> None:
        """After a restart of the embedded AWS, learn from finished trials and run the others again."""
        records = self._trainer.training_records
        self.job.trials = {name: tuned for name, tuned in self.job.trials.items() if name in records}
        for name, tuned in self.job.trials.items():
            record = records[name]
            value = None if record.status == "Failed" else objective_value(record)
            number = self._search.add(tuned, value, running=not record.ended)
            if not record.ended and number is not None:
                self._running[name] = number
                self._trainer.restart_training(record, **self._hooks(name))

    def _report(self, name: str, value: float) -> None:
        trial = self._running.get(name)
        if trial is not None and self._search.report(trial, value):
            self._trainer.stop_training(self._trainer.training_records[name])

    def _close(self) -> None:
        """Start no more trials, and stop the running ones."""
        self._closing = True
        for name in list(self._running):
            if name in self._trainer.training_records:
                self._trainer.stop_training(self._trainer.training_records[name])

    def _satisfied(self) -> bool:
        """Return whether a completion criterion is met, or too many trials failed."""
        trials = [trial for trial in self._trainer.tuning_trials(self.job) if trial.ended]
        good = [trial for trial in trials if objective_status(trial) == "Succeeded"]
        if len(trials) >= MAX_FAILURES and not good:
            return True
        best = self.job.best(trials)
        if best is None:
            return False
        criteria = self.job.config.get("TuningJobCompletionCriteria", {})
        target, value = criteria.get("TargetObjectiveMetricValue"), objective_value(best)
        if (
            value is not None
            and target is not None
            and (value == target or self.job.is_better(value, target))
        ):
            return True
        patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
        return patience is not None and self.job.not_improving(trials) >= patience

    def _failure(self) -> str:
        number = len(self.job.trials)
        where = "by listing training jobs for the hyperparameter tuning job."
        if number >= MAX_FAILURES:
            return (
                f"No training job succeeded after {number} attempts. For additional details, please take a look at "
                f"the training job failures {where}"
            )
        return f"All training jobs failed. Please take a look at the training job failures to get more details, {where}"
