"""Who may assume a role, and the sessions of roles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.sts import models, urls
from moto.sts.models import STSBackend
from moto.sts.responses import TokenResponse

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import decisions
from embedded_aws.iam.evaluate import Decision, decide
from embedded_aws.iam.principals import Principal, role_by_arn, service, sts

_KEEP_EXPIRED = timedelta(hours=1)  # so that their use is answered with "expired", not "unknown"


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


class LocalSTSBackend(STSBackend):
    """moto's, which knows the root user and forgets sessions long expired."""

    _url_module = urls
    root_key_id = ""

    def assume_role(self, *args: Any, **kwargs: Any) -> models.AssumedRole:
        oldest = utcnow() - _KEEP_EXPIRED
        if self.assumed_roles and self.assumed_roles[0].expiration < oldest:
            self.assumed_roles = [role for role in self.assumed_roles if role.expiration >= oldest]
        return super().assume_role(*args, **kwargs)

    def get_caller_identity(self, access_key_id: str, region: str) -> tuple[str, str, str]:
        if access_key_id == self.root_key_id:
            return ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:root", ACCOUNT_ID
        return super().get_caller_identity(access_key_id, region)


class LocalTokenResponse(TokenResponse):
    """moto's, without the operations that it answers with made-up credentials or unverified tokens."""

    def _refused(self) -> Any:
        raise NotImplementedError(f"STS {self._get_action()}")

    get_session_token = get_federation_token = _refused
    assume_role_with_saml = _refused


def install(root_key_id: str) -> None:
    """Put our STS in moto's place, before its first request."""
    LocalSTSBackend.root_key_id = root_key_id
    models.sts_backends.backend = LocalSTSBackend
    for path in urls.url_paths:
        urls.url_paths[path] = LocalTokenResponse.dispatch
