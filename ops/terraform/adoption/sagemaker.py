"""How resources of SageMaker are found."""

from __future__ import annotations

from ops.aws import tag_dict
from ops.terraform.adoption.rules import (
    Account,
    ByName,
    Condition,
    Found,
    Rule,
    Values,
    ask,
    known,
)

# SageMaker answers both: the former where a name is not found, the latter for the parts of a domain.
_ABSENT = ("ValidationException", "ResourceNotFound")

# Endpoints, notebook instances, domains, user profiles and spaces.
_FAILED = ("Failed", "OutOfService", "UpdateRollbackFailed", "Delete_Failed", "Update_Failed")
_READY = ("InService", "Stopped", "Completed")


def _condition(status: str) -> Condition:
    if status in _FAILED:
        return Condition.FAILED
    return Condition.READY if status in _READY else Condition.CHANGING


def _described(
    account: Account, operation: str, arn_key: str, status_key: str = "", **request: str
) -> Found | None:
    """Return what a describe operation describes, with its tags. Its import id is the last value of the request."""
    sagemaker = account.client("sagemaker")
    reply = ask(getattr(sagemaker, operation), *_ABSENT, **request)
    if reply is None:
        return None
    tags = ask(sagemaker.list_tags, *_ABSENT, ResourceArn=reply[arn_key])
    condition = _condition(reply[status_key]) if status_key else Condition.READY
    return Found(list(request.values())[-1], tags=tag_dict(tags and tags["Tags"]), condition=condition)


def _by_name(operation: str, request_key: str, arn_key: str, argument: str, status_key: str = "") -> ByName:
    """Return the rule of a resource that is described and imported by its name."""
    return ByName(
        lambda account, values: _described(
            account, operation, arn_key, status_key, **{request_key: values[argument]}
        )
    )


def _domain(account: Account, values: Values) -> Found | None:
    sagemaker = account.client("sagemaker")
    pages = sagemaker.get_paginator("list_domains").paginate()
    domains = (domain for page in pages for domain in page["Domains"])
    domain = next((d for d in domains if d["DomainName"] == values["domain_name"]), None)
    if domain is None:
        return None
    tags = ask(sagemaker.list_tags, *_ABSENT, ResourceArn=domain["DomainArn"])
    name = f"{domain['DomainName']} ({domain['DomainId']})"
    return Found(domain["DomainId"], name, tag_dict(tags and tags["Tags"]), _condition(domain["Status"]))


def _part_of_domain(operation: str, request_key: str, arn_key: str, argument: str) -> ByName:
    """Return the rule of a user profile or space, which is imported by its ARN."""

    def find(account: Account, values: Values) -> Found | None:
        if not known(values, "domain_id"):
            return None
        reply = ask(
            getattr(account.client("sagemaker"), operation),
            *_ABSENT,
            **{"DomainId": values["domain_id"], request_key: values[argument]},
        )
        return reply and Found(reply[arn_key], values[argument], condition=_condition(reply["Status"]))

    return ByName(find)


RULES: dict[str, Rule] = {
    # Without its policy, a deleted domain leaves its file system.
    "aws_sagemaker_domain": ByName(_domain, unread=("retention_policy",)),
    "aws_sagemaker_endpoint": _by_name(
        "describe_endpoint", "EndpointName", "EndpointArn", "name", "EndpointStatus"
    ),
    "aws_sagemaker_endpoint_configuration": _by_name(
        "describe_endpoint_config", "EndpointConfigName", "EndpointConfigArn", "name"
    ),
    "aws_sagemaker_model": _by_name("describe_model", "ModelName", "ModelArn", "name"),
    "aws_sagemaker_model_package_group": _by_name(
        "describe_model_package_group",
        "ModelPackageGroupName",
        "ModelPackageGroupArn",
        "model_package_group_name",
        "ModelPackageGroupStatus",
    ),
    "aws_sagemaker_notebook_instance": _by_name(
        "describe_notebook_instance",
        "NotebookInstanceName",
        "NotebookInstanceArn",
        "name",
        "NotebookInstanceStatus",
    ),
    "aws_sagemaker_notebook_instance_lifecycle_configuration": _by_name(
        "describe_notebook_instance_lifecycle_config",
        "NotebookInstanceLifecycleConfigName",
        "NotebookInstanceLifecycleConfigArn",
        "name",
    ),
    "aws_sagemaker_space": _part_of_domain("describe_space", "SpaceName", "SpaceArn", "space_name"),
    "aws_sagemaker_studio_lifecycle_config": _by_name(
        "describe_studio_lifecycle_config",
        "StudioLifecycleConfigName",
        "StudioLifecycleConfigArn",
        "studio_lifecycle_config_name",
    ),
    "aws_sagemaker_user_profile": _part_of_domain(
        "describe_user_profile", "UserProfileName", "UserProfileArn", "user_profile_name"
    ),
}
