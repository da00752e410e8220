"""The kinds of resources of an inventory: how each is listed, and which calls return its configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


def _none(item: Any, name: str) -> bool:
    return False


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    service, operation, arguments: call that lists it.
    items, key: field of the response with the list, and field of an item with its name.
    details: calls that return the configuration of one, each with the name of its argument.
    left_out: whether an item is not the account's, or is gone.
    """

    name: str
    service: str
    operation: str
    items: str
    key: str
    arguments: dict[str, Any] = field(default_factory=dict)
    details: tuple[tuple[str, str], ...] = ()
    left_out: Callable[[Any, str], bool] = _none


def _gone(item: Any, name: str) -> bool:
    state = item.get("State")
    state = state.get("Name") if isinstance(state, dict) else state
    return str(state).lower() in ("deleted", "deleting", "terminated")


def _default(item: Any, name: str) -> bool:
    """Return whether a part of a network belongs to the VPC that every account has."""
    return bool(item.get("IsDefault") or item.get("DefaultForAz") or item.get("Default")) or (
        "Tags" not in item or not item["Tags"]
    )


_BUCKET = tuple(
    (f"get_bucket_{name}", "Bucket")
    for name in (
        "encryption",
        "policy",
        "versioning",
        "lifecycle_configuration",
        "notification_configuration",
        "tagging",
    )
)
_SCALING = ("ecs", "sagemaker", "lambda")

KINDS = (
    Kind(
        "bucket",
        "s3",
        "list_buckets",
        "Buckets",
        "Name",
        details=(*_BUCKET, ("get_public_access_block", "Bucket")),
    ),
    Kind(
        "alias of a key",
        "kms",
        "list_aliases",
        "Aliases",
        "AliasName",
        left_out=lambda i, n: n.startswith("alias/aws/"),
    ),
    Kind("key", "kms", "list_keys", "Keys", "KeyId", details=(("describe_key", "KeyId"),)),
    Kind(
        "role", "iam", "get_account_authorization_details", "RoleDetailList", "RoleName", {"Filter": ["Role"]}
    ),
    Kind("policy", "iam", "list_policies", "Policies", "PolicyName", {"Scope": "Local"}),
    Kind("instance profile", "iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    Kind(
        "endpoint",
        "sagemaker",
        "list_endpoints",
        "Endpoints",
        "EndpointName",
        details=(("describe_endpoint", "EndpointName"),),
    ),
    Kind(
        "endpoint configuration",
        "sagemaker",
        "list_endpoint_configs",
        "EndpointConfigs",
        "EndpointConfigName",
        details=(("describe_endpoint_config", "EndpointConfigName"),),
    ),
    Kind(
        "model", "sagemaker", "list_models", "Models", "ModelName", details=(("describe_model", "ModelName"),)
    ),
    Kind(
        "model package group",
        "sagemaker",
        "list_model_package_groups",
        "ModelPackageGroupSummaryList",
        "ModelPackageGroupName",
        details=(
            ("get_model_package_group_policy", "ModelPackageGroupName"),
            ("list_model_packages", "ModelPackageGroupName"),
        ),
    ),
    Kind(
        "function",
        "lambda",
        "list_functions",
        "Functions",
        "FunctionName",
        details=(
            ("list_aliases", "FunctionName"),
            ("list_provisioned_concurrency_configs", "FunctionName"),
            ("get_policy", "FunctionName"),
            ("get_function_concurrency", "FunctionName"),
        ),
    ),
    *(
        kind
        for namespace in _SCALING
        for kind in (
            Kind(
                f"scalable target of {namespace}",
                "application-autoscaling",
                "describe_scalable_targets",
                "ScalableTargets",
                "ResourceId",
                {"ServiceNamespace": namespace},
            ),
            Kind(
                f"scaling policy of {namespace}",
                "application-autoscaling",
                "describe_scaling_policies",
                "ScalingPolicies",
                "PolicyName",
                {"ServiceNamespace": namespace},
            ),
            Kind(
                f"scheduled action of {namespace}",
                "application-autoscaling",
                "describe_scheduled_actions",
                "ScheduledActions",
                "ScheduledActionName",
                {"ServiceNamespace": namespace},
            ),
        )
    ),
    Kind("alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    Kind("composite alarm", "cloudwatch", "describe_alarms", "CompositeAlarms", "AlarmName"),
    Kind(
        "dashboard",
        "cloudwatch",
        "list_dashboards",
        "DashboardEntries",
        "DashboardName",
        details=(("get_dashboard", "DashboardName"),),
    ),
    Kind("log group", "logs", "describe_log_groups", "logGroups", "logGroupName"),
    Kind(
        "topic",
        "sns",
        "list_topics",
        "Topics",
        "TopicArn",
        details=(("get_topic_attributes", "TopicArn"), ("list_tags_for_resource", "ResourceArn")),
    ),
    Kind("subscription", "sns", "list_subscriptions", "Subscriptions", "Endpoint"),
    Kind("queue", "sqs", "list_queues", "QueueUrls", ""),
    Kind("rule", "events", "list_rules", "Rules", "Name", details=(("list_targets_by_rule", "Rule"),)),
    Kind(
        "parameter",
        "ssm",
        "get_parameters_by_path",
        "Parameters",
        "Name",
        {"Path": "/", "Recursive": True},
        left_out=lambda i, n: n.startswith("/aws/"),
    ),
    Kind("VPC", "ec2", "describe_vpcs", "Vpcs", "VpcId", left_out=_default),
    Kind("subnet", "ec2", "describe_subnets", "Subnets", "SubnetId", left_out=_default),
    Kind("route table", "ec2", "describe_route_tables", "RouteTables", "RouteTableId", left_out=_default),
    Kind(
        "security group", "ec2", "describe_security_groups", "SecurityGroups", "GroupName", left_out=_default
    ),
    Kind("VPC endpoint", "ec2", "describe_vpc_endpoints", "VpcEndpoints", "ServiceName", left_out=_gone),
    Kind("flow log", "ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    Kind("instance", "ec2", "describe_instances", "Reservations", "ReservationId"),
    Kind("volume", "ec2", "describe_volumes", "Volumes", "VolumeId"),
    Kind("file system", "efs", "describe_file_systems", "FileSystems", "Name"),
    Kind(
        "notebook instance",
        "sagemaker",
        "list_notebook_instances",
        "NotebookInstances",
        "NotebookInstanceName",
    ),
    Kind("Studio domain", "sagemaker", "list_domains", "Domains", "DomainName"),
)
