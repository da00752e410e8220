"""Trust policies of roles, and the sessions that AWS services get from them."""

from __future__ import annotations

from typing import Any

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import principals
from embedded_aws.iam.decisions import DecisionRecord
from embedded_aws.iam.evaluate import decide
from embedded_aws.iam.principals import role_by_arn, sts

SESSION_SECONDS = 12 * 3600


class RoleNotAssumable(Exception):
    """A service cannot assume a role: the role does not exist, or its trust policy does not allow the service."""


def policy(role_arn: str) -> str | None:
    """Return the trust policy of a role, or None if there is no such role."""
    role = role_by_arn(role_arn)
    return role.assume_role_policy_document if role is not None else None


class ServiceSessions:
    """Assumes roles on behalf of AWS services."""

    def __init__(self, record: DecisionRecord):
        self._record = record

    def assume(
        self, role_arn: str, service: str, region: str, session_name: str, source_arn: str
    ) -> dict[str, str]:
        """Return credentials of a role for an AWS service such as "sagemaker.amazonaws.com", valid for 12 hours.

        source_arn: the resource that the service acts for; trust policies can require it (aws:SourceArn).
        Returns AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.
        Raises RoleNotAssumable.
        """
        context: dict[str, Any] = {
            "aws:sourceaccount": ACCOUNT_ID,
            "aws:securetransport": "true",
            "aws:requestedregion": region,
            "aws:sourcearn": source_arn,
        }
        caller, document = principals.service(service), policy(role_arn)
        decision = decide(caller, "sts:AssumeRole", role_arn, context, document, delegated=False)
        self._record.note(caller, "sts:AssumeRole", role_arn, context, decision, document)
        if not decision.allowed:
            raise RoleNotAssumable(
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'{service}' to assume the role."
            )
        session = sts().assume_role(region, session_name, role_arn, "", SESSION_SECONDS, "")
        return {
            "AWS_ACCESS_KEY_ID": session.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.secret_access_key,
            "AWS_SESSION_TOKEN": session.session_token,
        }
