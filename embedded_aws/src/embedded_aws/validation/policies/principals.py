"""Principals of policies: their forms, and whether they exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import botocore.session

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import definitions
from embedded_aws.iam.principals import iam, role_by_arn
from embedded_aws.validation.policies.grammar import Json, statements_of, texts_of

_ACCOUNT = re.compile(r"\d{12}")
_IAM_ARN = re.compile(r"arn:aws:iam::(\d{12}):(root|user/[\w+=,.@/-]+|role/[\w+=,.@/-]+)", re.ASCII)
_SESSION_ARN = re.compile(
    r"arn:aws:sts::(\d{12}):(?:assumed-role/([\w+=,.@-]+)/[\w+=,.@-]+|federated-user/.+)", re.ASCII
)
_UNIQUE_ID = re.compile(r"(AIDA|AROA)[A-Z0-9]{12,}")  # what AWS makes of a principal that was deleted later
_PROVIDER = re.compile(
    r"arn:aws:iam::\d{12}:(oidc-provider/[\w.:/%-]+|saml-provider/[\w.-]{1,128})", re.ASCII
)
# Identity providers that need no provider resource.
_BUILT_IN_PROVIDERS = {
    "accounts.google.com",
    "cognito-identity.amazonaws.com",
    "graph.facebook.com",
    "www.amazon.com",
}
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
# Service principals that are neither an endpoint prefix nor a prefix of IAM actions.
_OTHER_SERVICES = {
    "batchoperations.s3",
    "billingconsole",
    "cloudwatch-crossaccount",
    "config-conforms",
    "continuousexport.discovery",
    "costalerts",
    "credentials.iot",
    "delivery.logs",
    "ecs-tasks",
    "edgelambda",
    "eks-fargate",
    "eks-fargate-pods",
    "eks-nodegroup",
    "export.rds",
    "hooks.cloudformation",
    "lambda.alarms.cloudwatch",
    "logger.cloudfront",
    "logging.s3",
    "member.org.stacksets.cloudformation",
    "monitoring.rds",
    "ops.apigateway",
    "pods.eks",
    "replicator.lambda",
    "resources.cloudformation",
    "spotfleet",
    "stacksets.cloudformation",
    "streams.metrics.cloudwatch",
    "transitgateway",
    "vpc-flow-logs",
}


def invalid_principal(policy: Json, *, federated: bool = True) -> str | None:
    """Return the first principal of a policy that AWS refuses, e.g. '"AWS":"arn:aws:iam::...:role/missing"'.

    federated: whether the policy can name identity providers.
    """
    for kind, name in _principals(policy):
        valid = {
            "AWS": aws_exists,
            "Service": service_exists,
            "Federated": (lambda text: federated and _is_provider(text)),
            "CanonicalUser": (lambda text: re.fullmatch(r"[0-9a-f]{64}", text) is not None),
        }[kind](name)
        if not valid:
            return f'"{kind if kind == "AWS" else kind.upper()}":"{name}"'
    return None


def _principals(policy: Json) -> Iterator[tuple[str, str]]:
    for statement in statements_of(policy):
        principal = statement.get("Principal", statement.get("NotPrincipal", {}))
        for kind, names in principal.items() if isinstance(principal, dict) else ():
            for name in texts_of(names):
                yield kind, name


def aws_exists(name: str) -> bool:
    """Report whether an account, user, role or session exists. Of other accounts only the form is known."""
    if name == "*" or _ACCOUNT.fullmatch(name) or _UNIQUE_ID.fullmatch(name):
        return True
    if found := _IAM_ARN.fullmatch(name):
        if found[1] != ACCOUNT_ID or found[2] == "root":
            return True
        return role_by_arn(name) is not None or any(user.arn == name for user in iam().users.values())
    if found := _SESSION_ARN.fullmatch(name):
        if found[1] != ACCOUNT_ID or found[2] is None:
            return True
        return any(role.name == found[2] for role in iam().roles.values())
    return False


def _is_provider(name: str) -> bool:
    return name in _BUILT_IN_PROVIDERS or _PROVIDER.fullmatch(name) is not None


@cache
def service_exists(name: str) -> bool:
    """Report whether a name is that of an AWS service, such as "sagemaker.amazonaws.com"."""
    if not name.endswith(".amazonaws.com"):
        return False
    parts = name.removesuffix(".amazonaws.com").split(".")
    if len(parts) > 1 and _REGION.fullmatch(parts[-1]):
        parts = parts[:-1]
    if len(parts) == 2 and parts[1] == "application-autoscaling":
        parts = parts[:1]
    return ".".join(parts) in _OTHER_SERVICES | _service_names()


@cache
def _service_names() -> frozenset[str]:
    """Return endpoint prefixes of botocore's services, and prefixes of IAM actions."""
    data = botocore.session.get_session().get_data("endpoints")
    endpoints = {name for partition in data["partitions"] for name in partition["services"]}
    return frozenset(endpoints | set(definitions.prefixes()))
