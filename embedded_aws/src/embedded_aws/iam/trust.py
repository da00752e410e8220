"""Who may assume a role, and the sessions of roles."""

from __future__ import annotations

from typing import Any

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import decisions
from embedded_aws.iam.evaluate import Decision, decide
from embedded_aws.iam.principals import Principal, role_by_arn, service, sts


class RoleNotAssumable(Exception):
    """A service cannot act as a role: it does not exist, or its trust policy does not allow the service."""


def policy(role_arn: str) -> str | None:
    """The trust policy of a role, or None if there is no such role."""
    role = role_by_arn(role_arn)
    return role.assume_role_policy_document if role is not None else None


def may_assume(
    principal: Principal, role_arn: str, context: dict[str, Any], action: str = "sts:AssumeRole"
) -> Decision:
    """Whether the role's trust policy, with the caller's own policies, lets `principal` assume it. On record."""
    document = policy(role_arn)
    decision = decide(principal, action, role_arn, context, document, delegated=False)
    decisions.note(principal, action, role_arn, context, decision, document)
    return decision


def assume_for_service(
    role_arn: str, service_name: str, region: str, session_name: str, source_arn: str | None = None
) -> dict[str, str]:
    """Credentials of a role for one of AWS's services, e.g. "sagemaker.amazonaws.com".

    source_arn: the resource on whose behalf the service acts; trust policies may ask for it (aws:SourceArn).
    Returns AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, good for 12 hours.
    Raises RoleNotAssumable.
    """
    context = {"aws:sourceaccount": ACCOUNT_ID, "aws:securetransport": "true", "aws:requestedregion": region}
    if source_arn:
        context["aws:sourcearn"] = source_arn
    if not may_assume(service(service_name), role_arn, context).allowed:
        raise RoleNotAssumable(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
            f"'{service_name}' to assume the role."
        )
    session = sts().assume_role(region, session_name, role_arn, "", 12 * 3600, "")
    return {
        "AWS_ACCESS_KEY_ID": session.access_key_id,
        "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
        "AWS_SESSION_TOKEN": session.session_token,
    }
