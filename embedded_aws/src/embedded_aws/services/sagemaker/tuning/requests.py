"""The training jobs that a tuning job creates."""

from __future__ import annotations

from typing import Any

from embedded_aws.services.sagemaker.tuning.records import OBJECTIVE, TuningJob

# Members of a TrainingJobDefinition that a training job takes unchanged.
SHARED = (
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "RetryStrategy",
    "Environment",
)


def training_request(job: TuningJob, name: str, tuned: dict[str, str]) -> dict[str, Any]:
    """Return the CreateTrainingJob request of one trial, as AWS makes it."""
    definition, objective = job.definition, job.objective["MetricName"]
    algorithm = definition["AlgorithmSpecification"]
    metrics = algorithm["MetricDefinitions"]
    regex = next(metric["Regex"] for metric in metrics if metric["Name"] == objective)
    request = {member: definition[member] for member in SHARED if member in definition}
    request |= {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            **algorithm,
            "MetricDefinitions": [*metrics, {"Name": OBJECTIVE, "Regex": regex}],
        },
        "HyperParameters": {
            "_tuning_objective_metric": objective,
            **definition.get("StaticHyperParameters", {}),
            **tuned,
        },
    }
    if "Tags" in job.request:
        request["Tags"] = job.request["Tags"]
    return request
