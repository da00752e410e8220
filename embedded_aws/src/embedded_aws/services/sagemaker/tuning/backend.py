"""Records of hyperparameter tuning jobs."""

from __future__ import annotations

from typing import Any

from moto.sagemaker.exceptions import AWSValidationException, ResourceInUseException

from embedded_aws.services.sagemaker.roles import check_assumable
from embedded_aws.services.sagemaker.training import validation as training_validation
from embedded_aws.services.sagemaker.training.backend import TrainingBackend
from embedded_aws.services.sagemaker.training.records import TrainingJob
from embedded_aws.services.sagemaker.tuning import validation
from embedded_aws.services.sagemaker.tuning.records import TuningJob
from embedded_aws.services.sagemaker.tuning.requests import training_request
from embedded_aws.services.sagemaker.tuning.runs import TuningRuns

KIND = "hyper-parameter-tuning-job"


class TuningBackend(TrainingBackend):
    """Tuning jobs by name."""

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
        check_assumable(self.runtime, job.definition["RoleArn"], self.region_name)
        for parent in self.tuning_parents(job):
            if not parent.ended:
                raise AWSValidationException(
                    f"The parent tuning job {parent.name} must have ended, but it is {parent.status}."
                )
            validation.check_parent(request, parent.request)
        self.keep_tags(arn, request.get("Tags"))
        self.tuning_records[name] = job
        self._tuning_runs.start(job, self)
        return job

    def tuning_job(self, name: str) -> TuningJob:
        """Return the record of a job. Raises ValidationException if there is none."""
        if name not in self.tuning_records:
            raise AWSValidationException(
                f"Amazon SageMaker can't find a tuning job with the name {name}. Please make sure the name is "
                "spelled correctly and try again."
            )
        return self.tuning_records[name]

    def tuning_parents(self, job: TuningJob) -> list[TuningJob]:
        """Return the parent jobs of a warm start."""
        parents = job.request.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
        return [self.tuning_job(parent["HyperParameterTuningJobName"]) for parent in parents]

    def tuning_trials(self, job: TuningJob) -> list[TrainingJob]:
        """Return the training jobs of a tuning job, in order."""
        return [self.training_records[name] for name in job.trials if name in self.training_records]

    def describe_tuning(self, job: TuningJob) -> dict[str, Any]:
        """Return the answer of DescribeHyperParameterTuningJob."""
        overall = None
        if "WarmStartConfig" in job.request:
            family = [job, *self.tuning_parents(job)]
            best = job.best([trial for member in family for trial in self.tuning_trials(member)])
            owner = next((member for member in family if best and best.name in member.trials), None)
            if best and owner:
                overall = {**owner.trial(best), "TuningJobName": owner.name}
        return job.describe(self.tuning_trials(job), overall)

    def resume_tuning(self) -> None:
        """After a restart of the embedded AWS, continue unfinished jobs."""
        for job in self.tuning_records.values():
            if not job.ended:
                self._tuning_runs.start(job, self)

    def stop_tuning(self, job: TuningJob) -> None:
        """Ask a running job to stop."""
        self._tuning_runs.stop(job)

    @property
    def _tuning_runs(self) -> TuningRuns:
        return self.runtime.get(TuningRuns)
