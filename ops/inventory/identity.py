"""Kinds of IAM. What stack access created is left out: it removes environments, and outlives them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from botocore.exceptions import ClientError

from ops.aws import error_code, tag_dict
from ops.inventory.model import Kind, Place, Resource, pages
from ops.terraform.stacks import ACCESS_PATH

_OF_SERVICES = ("/aws-service-role/", "/aws-reserved/")


def _roles(place: Place) -> Iterator[Resource]:
    """List roles with their tags, which neither IAM's list nor the tagging API reports: one request per role."""
    iam = place.client("iam")
    found = [
        Resource(item["RoleName"], item["Arn"], item["RoleName"])
        for item in pages(iam, "list_roles", "Roles")
        if item["Path"] != ACCESS_PATH and not item["Path"].startswith(_OF_SERVICES)
    ]

    def with_tags(role: Resource) -> Resource:
        try:
            return replace(role, tags=tag_dict(iam.list_role_tags(RoleName=role.id)["Tags"]))
        except ClientError as error:
            # Deleted since it was listed; or foreign: the operator's role reads no tags of other environments.
            if error_code(error) not in ("NoSuchEntity", "AccessDenied"):
                raise
            return role

    with ThreadPoolExecutor(8) as pool:
        yield from pool.map(with_tags, found)


def _delete_role(place: Place, role: Resource) -> None:
    iam = place.client("iam")
    for profile in pages(iam, "list_instance_profiles_for_role", "InstanceProfiles", RoleName=role.id):
        iam.remove_role_from_instance_profile(
            InstanceProfileName=profile["InstanceProfileName"], RoleName=role.id
        )
    for policy in pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=role.id):
        iam.detach_role_policy(RoleName=role.id, PolicyArn=policy["PolicyArn"])
    for name in pages(iam, "list_role_policies", "PolicyNames", RoleName=role.id):
        iam.delete_role_policy(RoleName=role.id, PolicyName=name)
    iam.delete_role(RoleName=role.id)


def _profiles(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("iam"), "list_instance_profiles", "InstanceProfiles"):
        if item["Path"] != ACCESS_PATH:
            yield Resource(item["InstanceProfileName"], item["Arn"], item["InstanceProfileName"], data=item)


def _profile(place: Place, profile: Resource) -> Resource:
    found = place.client("iam").get_instance_profile(InstanceProfileName=profile.id)["InstanceProfile"]
    return replace(profile, tags=tag_dict(found.get("Tags")))


def _delete_profile(place: Place, profile: Resource) -> None:
    iam = place.client("iam")
    for role in profile.data.get("Roles") or []:
        iam.remove_role_from_instance_profile(InstanceProfileName=profile.id, RoleName=role["RoleName"])
    iam.delete_instance_profile(InstanceProfileName=profile.id)


def _policies(place: Place) -> Iterator[Resource]:
    for item in pages(place.client("iam"), "list_policies", "Policies", Scope="Local"):
        if item["Path"] != ACCESS_PATH:
            yield Resource(item["PolicyName"], item["Arn"], item["Arn"])


def _delete_policy(place: Place, policy: Resource) -> None:
    iam = place.client("iam")
    for role in pages(
        iam, "list_entities_for_policy", "PolicyRoles", PolicyArn=policy.id, EntityFilter="Role"
    ):
        iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=policy.id)
    for version in pages(iam, "list_policy_versions", "Versions", PolicyArn=policy.id):
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=policy.id, VersionId=version["VersionId"])
    iam.delete_policy(PolicyArn=policy.id)


def _with_tags(operation: str, parameter: str, place: Place, item: Resource) -> Resource:
    """Complete a resource with its tags, which the listing does not report."""
    tags = getattr(place.client("iam"), operation)(**{parameter: item.id})["Tags"]
    return replace(item, tags=tag_dict(tags))


KINDS = (
    Kind(
        "instance profile",
        ("aws_iam_instance_profile",),
        ("iam:instance-profile/",),
        _profiles,
        _delete_profile,
        _profile,
        is_global=True,
    ),
    Kind(
        "role",
        ("aws_iam_role",),
        ("iam:role/",),
        _roles,
        _delete_role,
        is_global=True,
    ),
    Kind(
        "policy",
        ("aws_iam_policy",),
        ("iam:policy/",),
        _policies,
        _delete_policy,
        partial(_with_tags, "list_policy_tags", "PolicyArn"),
        is_global=True,
    ),
)
"""In the order of their deletion."""
