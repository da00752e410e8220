"""STS records: sessions of roles, and the root user."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.sts import models, urls
from moto.sts.models import STSBackend

from embedded_aws import ACCOUNT_ID, credentials
from embedded_aws.runtime import Runtime

_KEEP_EXPIRED = timedelta(hours=1)  # so that their use is refused as expired, not as unknown


class EmbeddedSTSBackend(STSBackend):
    """moto's backend that knows the root user and drops sessions long expired."""

    _url_module = urls
    runtime: Runtime

    def assume_role(self, *args: Any, **kwargs: Any) -> models.AssumedRole:
        oldest = utcnow() - _KEEP_EXPIRED
        if self.assumed_roles and self.assumed_roles[0].expiration < oldest:
            self.assumed_roles = [role for role in self.assumed_roles if role.expiration >= oldest]
        return super().assume_role(*args, **kwargs)

    def get_caller_identity(self, access_key_id: str, region: str) -> tuple[str, str, str]:
        if access_key_id == credentials.root(self.runtime.home).aws_access_key_id:
            return ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:root", ACCOUNT_ID
        return super().get_caller_identity(access_key_id, region)
