"""SageMaker's operations on hyperparameter tuning jobs."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException

from embedded_aws.runtime import Runtime
from embedded_aws.services.events import sagemaker as events
from embedded_aws.services.sagemaker.requests import page, validated
from embedded_aws.services.sagemaker.training import validation as training_validation
from embedded_aws.services.sagemaker.training.operations import TrainingJobs, check_role
from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.tuning import validation
from embedded_aws.services.sagemaker.tuning.job import TuningRun, training_request
from embedded_aws.services.sagemaker.tuning.records import TuningJob

KIND = "hyper-parameter-tuning-job"


class TuningRuns:
    """The tuning jobs that run in this process; their records are in the backends."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._runs: dict[str, TuningRun] = {}  # by ARN
        self._lock = threading.Lock()

    def start(self, job: TuningJob, backend: TuningJobs) -> None:
        with self._lock:
            self._runs = {arn: run for arn, run in self._runs.items() if not run.job.ended}
            run = self._runs[job.arn] = TuningRun(job, backend, self._finish)
        run.start()
        events.tuning_job(job)

    def stop(self, job: TuningJob) -> None:
        with self._lock:
            if job.status != "InProgress":
                return
            job.status = "Stopping"
            self._runs[job.arn].stop()
        events.tuning_job(job)

    def _finish(self, job: TuningJob, status: str, reason: str | None) -> None:
        with self._lock:
            job.end(status, reason)
        events.tuning_job(job)
        self._runtime.changed("sagemaker", job.region)

    def halt(self) -> None:
        """Start no more trials, because the embedded AWS goes down. Records stay InProgress."""
        for run in list(self._runs.values()):
            run.halt()


class TuningJobs(TrainingJobs):
    """Backend mixin: the records of tuning jobs."""

    tuning_runs: ClassVar[TuningRuns]

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.tuning_records: dict[str, TuningJob] = {}

    def start_tuning(self, request: dict[str, Any]) -> TuningJob:
        """Create a tuning job and run it. Raises ValidationException or ResourceInUse."""
        name = request["HyperParameterTuningJobName"]
        arn = self.resource_arn(KIND, name)
        if name in self.tuning_records:
            raise ResourceInUseException(
                "Hyperparameter tuning job names must be unique within an AWS account and region, but a "
                f"hyperparameter tuning job with this name already exists ({arn})"
            )
        validation.check(request)
        job = TuningJob(request, self.account_id, self.region_name, arn)
        training_validation.check(training_request(job, f"{name}-001", {}))
        check_role(job.definition["RoleArn"], self.region_name)
        for parent in self.tuning_parents(job):
            if not parent.ended:
                raise AWSValidationException(
                    f"The parent tuning job {parent.name} must have ended, but it is {parent.status}."
                )
            validation.check_parent(request, parent.request)
        self.keep_tags(arn, request.get("Tags"))
        self.tuning_records[name] = job
        self.tuning_runs.start(job, self)
        return job

    def tuning_job(self, name: str) -> TuningJob:
        """Raises ValidationException if there is none of this name."""
        if name not in self.tuning_records:
            raise AWSValidationException(
                f"Amazon SageMaker can't find a tuning job with the name {name}. Please make sure the name is "
                "spelled correctly and try again."
            )
        return self.tuning_records[name]

    def tuning_parents(self, job: TuningJob) -> list[TuningJob]:
        """The jobs whose trials it starts from."""
        parents = job.request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
        return [self.tuning_job(parent["HyperParameterTuningJobName"]) for parent in parents]

    def tuning_trials(self, job: TuningJob) -> list[TrainingJob]:
        """The training jobs of a tuning job, in order."""
        return [self.training_records[name] for name in job.trials if name in self.training_records]

    def describe_tuning(self, job: TuningJob) -> dict[str, Any]:
        """The answer of DescribeHyperParameterTuningJob."""
        overall = None
        if "WarmStartConfig" in job.request:
            family = [job, *self.tuning_parents(job)]
            best = job.best([trial for member in family for trial in self.tuning_trials(member)])
            owner = next((member for member in family if best and best.name in member.trials), None)
            if best and owner:
                overall = {**owner.trial(best), "TuningJobName": owner.name}
        return job.describe(self.tuning_trials(job), overall)

    def resume_tuning(self) -> None:
        """After a restart of the embedded AWS: go on with what was running."""
        for job in self.tuning_records.values():
            if not job.ended:
                self.tuning_runs.start(job, self)


class TuningOperations:
    """Response mixin."""

    def create_hyper_parameter_tuning_job(self) -> ActionResult:
        job = self.sagemaker_backend.start_tuning(validated(self))
        return ActionResult({"HyperParameterTuningJobArn": job.arn})

    def describe_hyper_parameter_tuning_job(self) -> ActionResult:
        backend = self.sagemaker_backend
        return ActionResult(
            backend.describe_tuning(backend.tuning_job(validated(self)["HyperParameterTuningJobName"]))
        )

    def list_hyper_parameter_tuning_jobs(self) -> ActionResult:
        backend, request = self.sagemaker_backend, validated(self)
        jobs = [job.summary(backend.tuning_trials(job)) for job in backend.tuning_records.values()]
        request = {"SortBy": "Name", "SortOrder": "Ascending", **request}
        return ActionResult(
            page(jobs, request, "HyperParameterTuningJobSummaries", "HyperParameterTuningJobName")
        )

    def stop_hyper_parameter_tuning_job(self) -> EmptyResult:
        backend = self.sagemaker_backend
        job = backend.tuning_job(validated(self)["HyperParameterTuningJobName"])
        if job.ended:
            raise AWSValidationException(
                f"The request was rejected because the hyperparameter tuning job is in status {job.status}."
            )
        backend.tuning_runs.stop(job)
        return EmptyResult()

    def delete_hyper_parameter_tuning_job(self) -> EmptyResult:
        backend = self.sagemaker_backend
        job = backend.tuning_job(validated(self)["HyperParameterTuningJobName"])
        if not job.ended:
            raise AWSValidationException(
                f"The hyperparameter tuning job {job.name} is {job.status}: stop it before it is deleted."
            )
        backend.forget_tags(job.arn)
        del backend.tuning_records[job.name]
        return EmptyResult()

    def list_training_jobs_for_hyper_parameter_tuning_job(self) -> ActionResult:
        backend, request = self.sagemaker_backend, validated(self)
        job = backend.tuning_job(request["HyperParameterTuningJobName"])
        entries = [job.trial(trial) for trial in backend.tuning_trials(job)]
        if request.get("SortBy") == "FinalObjectiveMetricValue":
            entries = by_objective(entries, request.get("SortOrder", "Ascending"))
            status = request.get("StatusEquals")
            entries = [entry for entry in entries if status in (None, entry["TrainingJobStatus"])]
            return ActionResult(page(entries, request, "TrainingJobSummaries"))
        request = {"SortBy": "Name", "SortOrder": "Ascending", **request}
        return ActionResult(page(entries, request, "TrainingJobSummaries", "TrainingJobName"))


def by_objective(entries: list[dict[str, Any]], order: str) -> list[dict[str, Any]]:
    """Trials by final objective value; those without one come last, and AWS leaves them out of a comparison."""
    metric = "FinalHyperParameterTuningJobObjectiveMetric"
    known = [entry for entry in entries if metric in entry]
    known.sort(key=lambda entry: entry[metric]["Value"], reverse=order == "Descending")
    return known + [entry for entry in entries if metric not in entry]
