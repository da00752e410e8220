"""OpenID Connect provider for tests: signs tokens as GitHub Actions does and publishes its keys."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

HOST = "token.actions.githubusercontent.com"


class IdentityProvider:
    """Provider whose tokens the embedded AWS in `home` trusts."""

    def __init__(self, home: Path):
        self._key = RSAKey.generate_key(2048, {"kid": "tests", "use": "sig"}, private=True)
        path = home / "jwks" / f"{HOST}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(KeySet([self._key]).as_dict(private=False)))

    def token(self, subject: str, **claims: Any) -> str:
        """Return a token for a subject such as repo:owner/name:pull_request. claims: override the default ones."""
        usual = {"iss": f"https://{HOST}", "aud": "sts.amazonaws.com", "exp": int(time.time()) + 300}
        return jwt.encode({"alg": "RS256", "kid": "tests"}, {**usual, "sub": subject, **claims}, self._key)
