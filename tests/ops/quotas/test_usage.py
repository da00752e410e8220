"""Use of SageMaker's quotas: running jobs, fleets of endpoints, and what the caller may not see."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from ops.quotas import usage
from tests.environments import with_clients


class Sagemaker:
    """Jobs and endpoints by name. denied: names that the caller may not describe, or operations."""

    def __init__(self):
        self.jobs: dict[str, dict] = {}
        self.endpoints: dict[str, dict] = {}
        self.configs: dict[str, dict] = {}
        self.denied: set[str] = set()

    def get_paginator(self, operation: str) -> SimpleNamespace:
        return SimpleNamespace(paginate=lambda **asked: getattr(self, operation)(**asked))

    def list_training_jobs(self, StatusEquals):
        if "list" in self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListTrainingJobs")
        names = [name for name, job in self.jobs.items() if job["status"] == StatusEquals]
        yield {"TrainingJobSummaries": [{"TrainingJobName": name} for name in names]}

    def list_processing_jobs(self, StatusEquals):
        names = [name for name, job in self.jobs.items() if job["status"] == StatusEquals]
        yield {"ProcessingJobSummaries": [{"ProcessingJobName": name} for name in names]}

    def describe_processing_job(self, ProcessingJobName):
        return self._found(self.jobs, ProcessingJobName)

    def list_endpoints(self):
        yield {"Endpoints": [{"EndpointName": name} for name in self.endpoints]}

    def describe_training_job(self, TrainingJobName):
        return self._found(self.jobs, TrainingJobName)

    def describe_endpoint(self, EndpointName):
        return self._found(self.endpoints, EndpointName)

    def describe_endpoint_config(self, EndpointConfigName):
        return self._found(self.configs, EndpointConfigName)

    def _found(self, known: dict[str, dict], name: str) -> dict:
        if name in self.denied:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "Describe")
        if known[name].get("gone"):
            raise ClientError(
                {"Error": {"Code": "ValidationException", "Message": "Could not find it."}}, "Describe"
            )
        return known[name]


@pytest.fixture
def sagemaker() -> Sagemaker:
    return Sagemaker()


@pytest.fixture
def env(dev, sagemaker):
    return with_clients(dev, sagemaker=sagemaker)


def job(kind: str, count: int, status: str = "InProgress", **more) -> dict:
    return {"status": status, "ResourceConfig": {"InstanceType": kind, "InstanceCount": count}, **more}


def test_running_and_stopping_jobs_count_by_type_and_market(env, sagemaker):
    sagemaker.jobs = {
        "a": job("ml.m5.large", 2),
        "b": job("ml.m5.large", 1, "Stopping"),
        "spot": job("ml.m5.large", 4, EnableManagedSpotTraining=True),
        "done": job("ml.m5.large", 8, "Completed"),
        "other": job("ml.g5.xlarge", 1),
        "foreign": job("ml.g5.xlarge", 1),
        "ended": job("ml.g5.xlarge", 1, gone=True),
    }
    sagemaker.denied = {"foreign"}
    assert usage.training_instances(env) == {
        ("ml.m5.large", False): 3,
        ("ml.m5.large", True): 4,
        ("ml.g5.xlarge", False): 1,
    }
    sagemaker.denied = {"list"}
    assert not usage.training_instances(env)


def test_running_processing_jobs_count_by_type(env, sagemaker):
    def processing(kind: str, status: str) -> dict:
        cluster = {"InstanceType": kind, "InstanceCount": 2}
        return {"status": status, "ProcessingResources": {"ClusterConfig": cluster}}

    sagemaker.jobs = {
        "a": processing("ml.m5.large", "InProgress"),
        "b": processing("ml.m5.large", "Stopping"),
        "c": processing("ml.m5.large", "Completed"),
        "foreign": processing("ml.m5.xlarge", "InProgress"),
    }
    sagemaker.denied = {"foreign"}
    assert usage.processing_instances(env) == {"ml.m5.large": 4}


def test_fleets_count_what_runs_or_will_run(env, sagemaker):
    variants = [
        {"VariantName": "AllTraffic", "InstanceType": "ml.m5.large"},
        {"VariantName": "serverless", "ServerlessConfig": {"MaxConcurrency": 5}},
    ]
    shadows = [{"VariantName": "shadow", "InstanceType": "ml.m5.large"}]
    sagemaker.configs = {
        "c": {"ProductionVariants": variants, "ShadowProductionVariants": shadows},
        "gone": {"gone": True},
        "new": {
            "ProductionVariants": [
                {"VariantName": "a", "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": 2}
            ]
        },
    }
    live = {
        "ProductionVariants": [
            {"VariantName": "AllTraffic", "DesiredInstanceCount": 3, "CurrentInstanceCount": 1},
            {"VariantName": "serverless"},
        ],
        "ShadowProductionVariants": [{"VariantName": "shadow", "CurrentInstanceCount": 2}],
        "EndpointConfigName": "c",
    }
    sagemaker.endpoints = {
        "serves": {**live, "EndpointStatus": "InService"},
        "failed": {**live, "EndpointStatus": "Failed"},
        "starts": {"EndpointStatus": "Creating", "EndpointConfigName": "new"},
        "odd": {"EndpointStatus": "Creating", "EndpointConfigName": "gone"},
        "foreign": live,
    }
    sagemaker.denied = {"foreign"}
    empty = usage.Fleet()
    assert usage.fleets(env) == {
        "serves": usage.Fleet({"ml.m5.large": 5}, 5),
        "failed": empty,
        "starts": usage.Fleet({"ml.g5.xlarge": 2}),
        "odd": empty,
        "foreign": empty,
    }
