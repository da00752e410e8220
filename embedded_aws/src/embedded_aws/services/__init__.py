"""Table of services: where each comes from. Read this first.

OURS runs real processes or makes decisions, on top of moto's records. FIXED is moto's service with corrections.
MOTO is moto's service unchanged. Services that are not in the table are moto's, unchanged and untested here.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from enum import Enum

from embedded_aws.runtime import Runtime


class Source(Enum):
    """Where a service comes from."""

    OURS = "ours"
    FIXED = "moto with fixes"
    MOTO = "moto"


@dataclass(frozen=True)
class Service:
    """One AWS service."""

    name: str
    """botocore's name."""

    source: Source

    folder: str
    """Folder in `services` with its provider; empty for MOTO."""

    summary: str
    """What it does beyond moto's records."""


OURS, FIXED, MOTO = Source.OURS, Source.FIXED, Source.MOTO

# Started and stopped in this order.
SERVICES = (
    Service(
        "sagemaker",
        OURS,
        "sagemaker",
        "jobs train and process, tuning jobs search, endpoints answer, notebooks run",
    ),
    Service("lambda", OURS, "lambda_", "functions run in AWS's runtime client, with concurrency limits"),
    Service(
        "ec2", OURS, "ec2", "instances run their user data as processes, with IMDSv2; networks are records"
    ),
    Service("apigatewayv2", OURS, "apigatewayv2", "HTTP APIs call functions"),
    Service(
        "application-autoscaling", OURS, "applicationautoscaling", "policies and schedules change capacity"
    ),
    Service("cloudwatch", OURS, "cloudwatch", "alarms are evaluated and act"),
    Service("events", OURS, "events", "rules match, schedules fire, targets are called"),
    Service("sts", FIXED, "sts", "sessions of roles expire; unverified credentials are refused"),
    Service("service-quotas", OURS, "servicequotas", "quotas limit instances, endpoints and concurrency"),
    Service("iam", FIXED, "iam", "SimulatePrincipalPolicy; every request is authorized in front of moto"),
    Service("s3", FIXED, "s3", "delete markers can be deleted; object bytes are on disk"),
    Service("sns", FIXED, "sns", "functions and endpoints on this machine are subscribers"),
    Service("ssm", FIXED, "ssm", "public parameters of the Deep Learning AMIs"),
    Service(
        "kms",
        FIXED,
        "kms",
        "only asymmetric keys have a public key; keys are records: data on disk is not encrypted",
    ),
    Service("budgets", FIXED, "budgets", "subscribers, tags and updates of budgets"),
    Service(
        "resourcegroupstaggingapi",
        FIXED,
        "resourcegroupstaggingapi",
        "resources of all services in this table, with AWS's ARNs",
    ),
    Service("ecr", MOTO, "", "records only"),
    Service("efs", MOTO, "", "records only"),
    Service("logs", MOTO, "", "records only"),
    Service("sqs", MOTO, "", "records only"),
)


def install(runtime: Runtime) -> None:
    """Apply the changes of every service to moto. Call once per process, before moto's first request."""
    for service in SERVICES:
        if service.folder:
            module = importlib.import_module(f"{__name__}.{service.folder}.provider")
            module.provider(runtime).install(runtime)
