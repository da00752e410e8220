"""Names of SageMaker's quotas, as Service Quotas lists them. Checked on 2026-11-30.

SageMaker has a quota for each instance type and use, over a thousand in all, so their codes are looked up by name.
"""

from __future__ import annotations

ALL_TRAINING = "Number of instances across all training jobs"
ALL_SPOT_TRAINING = "Number of instances across all spot training jobs"
ALL_PROCESSING = "Number of instances across all processing jobs"
ALL_ENDPOINTS = "Number of instances across active endpoints"
PARALLEL_TRIALS = (
    "Maximum number of training jobs each hyper parameter tuning job can run in parallel at once"
)
SERVERLESS_CONCURRENCY = "Maximum total concurrency that can be allocated across all serverless endpoints"


def for_training(instance_type: str, spot: bool) -> tuple[str, str]:
    """Return the names of the quotas of training on an instance type: for the type, and for all types together."""
    if spot:
        return f"{instance_type} for spot training job usage", ALL_SPOT_TRAINING
    return f"{instance_type} for training job usage", ALL_TRAINING


def for_processing(instance_type: str) -> tuple[str, str]:
    """Return the names of the quotas of processing on an instance type: for the type, and for all types together."""
    return f"{instance_type} for processing job usage", ALL_PROCESSING


def for_endpoint(instance_type: str) -> tuple[str, str]:
    """Return the names of the quotas of an endpoint's instance type: for the type, and for all types together."""
    return f"{instance_type} for endpoint usage", ALL_ENDPOINTS
