"""For tests of the search: tuning jobs that end by themselves, and their trials."""

from __future__ import annotations

from datetime import datetime, timedelta

from botocore.exceptions import ClientError

START = datetime(2026, 1, 1)


def trial(name: str, objective: float | None, status: str = "Completed") -> dict:
    summary = {
        "TrainingJobName": name,
        "TrainingJobStatus": status,
        "TunedHyperParameters": {"learning-rate": "0.01"},
        "TrainingStartTime": START,
        "TrainingEndTime": START + timedelta(seconds=42),
    }
    if objective is not None:
        metric = {"MetricName": "validation:accuracy", "Value": objective}
        summary["FinalHyperParameterTuningJobObjectiveMetric"] = metric
    return summary


class Sagemaker:
    """Tuning jobs that reach the next status with every description."""

    def __init__(self):
        self.jobs: dict[str, list[str]] = {}
        self.trials = [trial("t1", 0.8), trial("t2", 0.9)]
        self.reason = None
        self.repeated: dict[str, list[dict]] = {}
        self.outcomes: dict[str, dict] = {}
        self.billed: dict[str, float] = {}
        self.extra: dict = {}

    def repeat(self, env, definition, failed, tags):
        """Create the training job that repeats a trial."""
        assert (
            sum(len(states) > 1 for states in self.repeated.values()) < env.settings.tuning.max_parallel_jobs
        )
        outcome = self.outcomes.get(failed.name, {"TrainingJobStatus": "Failed", "FailureReason": "again."})
        running = {"TrainingJobStatus": "InProgress"}
        self.repeated[f"{failed.name}-retry"] = [running, running, outcome]

    def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName):
        if HyperParameterTuningJobName not in self.jobs:
            error = {"Code": "ValidationException", "Message": "Could not find tuning job"}
            raise ClientError({"Error": error}, "DescribeHyperParameterTuningJob")
        statuses = self.jobs[HyperParameterTuningJobName]
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        job = {
            "HyperParameterTuningJobName": HyperParameterTuningJobName,
            "HyperParameterTuningJobStatus": status,
            "TrainingJobStatusCounters": {
                "Completed": len(self.trials),
                "InProgress": 1,
                "NonRetryableError": 1,
            },
        }
        scored = [t for t in self.trials if "FinalHyperParameterTuningJobObjectiveMetric" in t]
        if status == "Completed" and scored:
            job["BestTrainingJob"] = scored[-1]
        return job | self.extra | ({"FailureReason": self.reason} if self.reason else {})

    def describe_training_job(self, TrainingJobName):
        """Return a repeated trial, which ends with its second description, or what a trial has cost."""
        if TrainingJobName in self.billed:
            return {
                "ResourceConfig": {"InstanceType": "ml.m5.2xlarge", "InstanceCount": 1},
                "BillableTimeInSeconds": self.billed[TrainingJobName],
            }
        if TrainingJobName not in self.repeated:
            error = {"Code": "ValidationException", "Message": "Requested resource not found."}
            raise ClientError({"Error": error}, "DescribeTrainingJob")
        states = self.repeated[TrainingJobName]
        return states.pop(0) if len(states) > 1 else states[0]

    def get_paginator(self, operation):
        assert operation == "list_training_jobs_for_hyper_parameter_tuning_job"
        return self

    def paginate(self, HyperParameterTuningJobName):
        return [{"TrainingJobSummaries": [t]} for t in self.trials]


def failed(name: str) -> dict:
    return {**trial(name, None, "Failed"), "FailureReason": "AlgorithmError: killed, exit code: 137"}
