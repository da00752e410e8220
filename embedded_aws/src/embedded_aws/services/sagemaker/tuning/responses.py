"""SageMaker's operations on hyperparameter tuning jobs."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import AWSValidationException

from embedded_aws.services.sagemaker.requests import Response, page, validated


class TuningResponse(Response):
    """Operations on tuning jobs."""

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
        backend.stop_tuning(job)
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
    """Sort trials by final objective value, those without one last."""
    metric = "FinalHyperParameterTuningJobObjectiveMetric"
    known = [entry for entry in entries if metric in entry]
    known.sort(key=lambda entry: entry[metric]["Value"], reverse=order == "Descending")
    return known + [entry for entry in entries if metric not in entry]
