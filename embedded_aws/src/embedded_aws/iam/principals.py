"""Callers: root, IAM users, assumed roles, federated users, AWS services, anonymous."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moto.iam.models import IAMBackend, iam_backends
from moto.sts.models import STSBackend, sts_backends

from embedded_aws import ACCOUNT_ID


def iam() -> IAMBackend:
    return iam_backends[ACCOUNT_ID]["aws"]


def sts() -> STSBackend:
    return sts_backends[ACCOUNT_ID]["aws"]


@dataclass(frozen=True)
class Principal:
    """A caller."""

    kind: str
    """aws:PrincipalType ("Account", "User", "AssumedRole", "Anonymous", "FederatedUser"), or "AWSService"."""

    arn: str
    """ARN in error messages."""

    identity_arn: str
    """ARN of the user or role whose policies apply."""

    user_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    session_token: str | None = field(default=None, repr=False)
    expiration: datetime | None = None
    """Naive UTC, as in moto's records."""

    session_policy: str | None = None
    record: Any = None
    """moto's user or role."""

    claims: tuple[tuple[str, str], ...] = ()
    """Claims of a federated user's token, as condition keys."""

    def documents(self) -> list[str]:
        """Return every identity-based policy as JSON: inline, attached, and of the user's groups."""
        holders = [self.record] if self.record is not None else []
        if self.kind == "User":
            holders += [group for group in iam().groups.values() if self.record in group.users]
        found: list[str] = []
        for holder in holders:
            found += holder.policies.values()
            found += [_default_document(policy) for policy in holder.managed_policies.values()]
        return found

    def boundary(self) -> str | None:
        """Return the permissions boundary as JSON, or None."""
        arn = getattr(self.record, "permissions_boundary_arn", None)
        return _default_document(iam().managed_policies[arn]) if arn else None

    def context(self) -> dict[str, str | list[str]]:
        """Return the condition keys that describe the caller."""
        if self.kind == "AWSService":
            return {"aws:principaltype": self.kind, "aws:principalisawsservice": "true", **dict(self.claims)}
        if self.kind in ("Anonymous", "FederatedUser"):
            return {"aws:principaltype": self.kind, **dict(self.claims)}
        values: dict[str, str | list[str]] = {
            "aws:principaltype": self.kind,
            "aws:principalarn": self.identity_arn,
            "aws:principalaccount": ACCOUNT_ID,
            "aws:userid": self.user_id,
            "aws:principalisawsservice": "false",
        }
        if self.kind == "User":
            values["aws:username"] = self.record.name
        tags = getattr(self.record, "tags", None) or []
        pairs = ((t["Key"], t["Value"]) for t in (tags.values() if isinstance(tags, dict) else tags))
        values |= {f"aws:principaltag/{key.lower()}": value for key, value in pairs}
        return values


ANONYMOUS = Principal(kind="Anonymous", arn="anonymous", identity_arn="anonymous")


def service(name: str) -> Principal:
    """Return the caller for an AWS service, e.g. "sagemaker.amazonaws.com"."""
    return Principal(kind="AWSService", arn=name, identity_arn=name)


def _default_document(policy: Any) -> str:
    document: str = next(version.document for version in policy.versions if version.is_default)
    return document


class Directory:
    """Finds callers by access key."""

    def __init__(self, root_key_id: str, root_secret: str):
        self._root_key_id = root_key_id
        self._root = Principal(
            kind="Account",
            arn=f"arn:aws:iam::{ACCOUNT_ID}:root",
            identity_arn=f"arn:aws:iam::{ACCOUNT_ID}:root",
            user_id=ACCOUNT_ID,
            secret_access_key=root_secret,
        )
        self._sessions: dict[str, Any] = {}  # by access key; moto has a list

    def find(self, access_key_id: str) -> Principal | None:
        """Return the caller with an active access key, or None."""
        if access_key_id == self._root_key_id:
            return self._root
        if access_key_id.startswith("ASIA"):
            session = self._session(access_key_id)
            return self._assumed(session) if session is not None else None
        for user in iam().users.values():
            for key in user.access_keys:
                if key.access_key_id == access_key_id and key.status == "Active":
                    return Principal(
                        kind="User",
                        arn=user.arn,
                        identity_arn=user.arn,
                        user_id=user.id,
                        secret_access_key=key.secret_access_key,
                        record=user,
                    )
        return None

    def _session(self, access_key_id: str) -> Any:
        if access_key_id not in self._sessions:
            self._sessions = {session.access_key_id: session for session in sts().assumed_roles}
        return self._sessions.get(access_key_id)

    @staticmethod
    def _assumed(session: Any) -> Principal:
        role = role_by_arn(session.role_arn)
        return Principal(
            kind="AssumedRole",
            arn=session.arn,
            identity_arn=session.role_arn,
            user_id=f"{role.id}:{session.session_name}" if role else session.session_name,
            secret_access_key=session.secret_access_key,
            session_token=session.session_token,
            expiration=session.expiration,
            session_policy=session.policy or None,
            record=role,
        )


def role_by_arn(arn: str) -> Any:
    """Return moto's role, or None."""
    name = arn.rsplit("/", 1)[-1]
    return next((role for role in iam().roles.values() if role.name == name and role.arn == arn), None)
