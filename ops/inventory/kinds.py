"""The table of kinds: what an environment may have in AWS. A test compares it with the resources in terraform/."""

from __future__ import annotations

from collections.abc import Iterable

from ops.inventory import compute, identity, jobs, network, operations, sagemaker, storage, workbench
from ops.inventory.model import Kind

KINDS: tuple[Kind, ...] = (
    *jobs.KINDS,
    *operations.SCALING,
    *operations.KINDS,
    *sagemaker.KINDS,
    *workbench.KINDS,
    *compute.KINDS,
    *network.KINDS,
    *storage.KINDS,
    *identity.KINDS,
)
"""In the order of deletion: what uses another comes before it."""

USERS = frozenset(
    {
        "API",
        "Studio application",
        "Studio domain",
        "Studio space",
        "Studio user profile",
        "endpoint",
        "function",
        "instance",
        "notebook instance",
        "scalable target",
        *(kind.name for kind in jobs.KINDS),
    }
)
"""Kinds that use what the foundation creates: they go before it."""

PARTS: dict[str, str] = {
    "aws_apigatewayv2_integration": "part of the API",
    "aws_apigatewayv2_route": "part of the API",
    "aws_apigatewayv2_stage": "part of the API",
    "aws_appautoscaling_policy": "part of the scalable target",
    "aws_appautoscaling_scheduled_action": "part of the scalable target",
    "aws_cloudwatch_event_target": "part of the rule",
    "aws_default_security_group": "part of the VPC",
    "aws_iam_openid_connect_provider": "of stack access: one per account, shared by all environments",
    "aws_iam_role_policy": "part of the role",
    "aws_iam_role_policy_attachment": "part of the role",
    "aws_lambda_alias": "part of the function",
    "aws_lambda_function_url": "part of the function",
    "aws_lambda_permission": "part of the function",
    "aws_lambda_provisioned_concurrency_config": "part of the function",
    "aws_route_table_association": "part of the route table",
    "aws_s3_bucket_lifecycle_configuration": "part of the bucket",
    "aws_s3_bucket_ownership_controls": "part of the bucket",
    "aws_s3_bucket_policy": "part of the bucket",
    "aws_s3_bucket_public_access_block": "part of the bucket",
    "aws_s3_bucket_server_side_encryption_configuration": "part of the bucket",
    "aws_s3_bucket_versioning": "part of the bucket",
    "aws_sns_topic_subscription": "part of the topic",
    "aws_vpc_security_group_egress_rule": "part of the security group",
    "aws_vpc_security_group_ingress_rule": "part of the security group",
    "terraform_data": "exists in the state only",
}
"""Why a resource type of Terraform has no kind: it goes with another resource, or is none."""

_PART_ARNS = (
    "ec2:security-group-rule/",
    "ec2:spot-instances-request/",
    "elasticfilesystem:access-point/",
    "sagemaker:image-version/",
    "sagemaker:trial-component/",
)
"""ARNs that tags report and that are parts of other resources."""


def kind_of(arn: str) -> Kind | None:
    """Return the kind of an ARN, or None if the inventory does not know it."""
    text = _short(arn)
    matching = [(len(start), kind) for kind in KINDS for start in kind.arns if text.startswith(start)]
    return max(matching, key=lambda found: found[0])[1] if matching else None


def is_part(arn: str) -> bool:
    """Return whether an ARN names a part of another resource."""
    return _short(arn).startswith(_PART_ARNS)


def type_in(arn: str) -> str:
    """Return service and type of an ARN, for people: "secretsmanager secret"."""
    service, _, rest = _short(arn).partition(":")
    kind = next((rest.partition(mark)[0] for mark in ("/", ":") if mark in rest), "")
    return f"{service} {kind}".strip()


def terraform_types() -> Iterable[str]:
    """Return the resource types of Terraform that have a kind."""
    return (name for kind in KINDS for name in kind.types)


def _short(arn: str) -> str:
    """Return an ARN as service and resource."""
    parts = arn.split(":", 5)
    return f"{parts[2]}:{parts[5]}" if len(parts) == 6 else arn
