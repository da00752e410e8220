"""STS: sessions of roles, and the root user."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from moto.core.utils import utcnow
from moto.sts import models, urls
from moto.sts.models import STSBackend
from moto.sts.responses import TokenResponse

from embedded_aws import ACCOUNT_ID, credentials
from embedded_aws.runtime import Runtime

_KEEP_EXPIRED = timedelta(hours=1)  # so that their use is answered with "expired", not "unknown"


class LocalSTSBackend(STSBackend):
    """moto's, which knows the root user and forgets sessions long expired."""

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


class LocalTokenResponse(TokenResponse):
    """moto's, without the operations that it answers with made-up credentials or unverified tokens."""

    def _refused(self) -> Any:
        raise NotImplementedError(f"STS {self._get_action()}")

    get_session_token = get_federation_token = _refused
    assume_role_with_saml = _refused
