"""The services of the embedded AWS, and where each comes from: the one table to read first.

`OURS` runs real processes or decides by itself, on moto's records. `FIXED` is moto's service with corrections.
`MOTO` is moto's service unchanged. Services that the table does not list are moto's, unchanged and untested here.
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
    """botocore's name of the service."""

    source: Source

    folder: str
    """Folder of `services` with its provider; empty for a service of moto's."""

    summary: str
    """What happens beyond moto's records."""


OURS, FIXED, MOTO = Source.OURS, Source.FIXED, Source.MOTO

# Started in this order, and stopped in it.
SERVICES = (
    Service(
        "sagemaker", OURS, "sagemaker", "jobs train, tuning jobs search, endpoints answer, notebooks run"
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
    Service("sts", OURS, "sts", "trust policies decide; sessions expire"),
    Service("service-quotas", OURS, "servicequotas", "quotas limit instances, endpoints and concurrency"),
    Service("iam", FIXED, "iam", "SimulatePrincipalPolicy; every request is authorized in front of moto"),
    Service("s3", FIXED, "s3", "delete markers can be deleted; object bytes are on disk"),
    Service("sns", FIXED, "sns", "subscribers are called in the background"),
    Service("ssm", FIXED, "ssm", "public parameters of the Deep Learning AMIs"),
    Service("budgets", FIXED, "budgets", "subscribers, tags and updates of budgets"),
    Service("ecr", MOTO, "", ""),
    Service("efs", MOTO, "", ""),
    Service("kms", MOTO, "", "keys are records; data is not encrypted on disk"),
    Service("logs", MOTO, "", ""),
    Service("sqs", MOTO, "", ""),
)


def install(runtime: Runtime) -> None:
    """Put our parts of every service in moto's place. Call once per process, before moto's first request."""
    for service in SERVICES:
        if service.folder:
            module = importlib.import_module(f"{__name__}.{service.folder}.provider")
            module.provider(runtime).install(runtime)
