"""Tables of documented rules, by botocore's name of the service."""

from __future__ import annotations

from collections.abc import Mapping

from embedded_aws.validation.rules import (
    apigatewayv2,
    budgets,
    cloudwatch,
    ec2,
    ecr,
    events,
    iam,
    kms,
    lambda_,
    logs,
    s3,
    s3_objects,
    sns,
    sqs,
    ssm,
    sts,
)
from embedded_aws.validation.table import Rule

TABLES: Mapping[str, tuple[Rule, ...]] = {
    "apigatewayv2": apigatewayv2.RULES,
    "budgets": budgets.RULES,
    "cloudwatch": cloudwatch.RULES,
    "ec2": ec2.RULES,
    "ecr": ecr.RULES,
    "events": events.RULES,
    "iam": iam.RULES,
    "kms": kms.RULES,
    "lambda": lambda_.RULES,
    "logs": logs.RULES,
    "s3": (*s3.RULES, *s3_objects.RULES),
    "sns": sns.RULES,
    "sqs": sqs.RULES,
    "ssm": ssm.RULES,
    "sts": sts.RULES,
}
