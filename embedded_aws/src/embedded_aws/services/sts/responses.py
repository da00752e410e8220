"""STS operations that are refused."""

from __future__ import annotations

from typing import Any

from moto.sts.responses import TokenResponse


class EmbeddedTokenResponse(TokenResponse):
    """moto's responses without operations that moto answers with made-up credentials or unverified tokens."""

    def _refused(self) -> Any:
        raise NotImplementedError(f"STS {self._get_action()}")

    get_session_token = get_federation_token = _refused
    assume_role_with_saml = _refused
