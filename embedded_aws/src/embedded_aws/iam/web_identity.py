"""AssumeRoleWithWebIdentity: callers with a token of an OpenID Connect provider, such as GitHub Actions.

AWS fetches the public keys from the provider. Here they are read from the home folder: `jwks/<host>.json`.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.errors import Refusal
from embedded_aws.iam.principals import Principal, iam
from embedded_aws.iam.request import Call

OPERATION = "AssumeRoleWithWebIdentity"
KEYS_FOLDER = "jwks"  # in the home folder


def is_requested(environ: dict[str, Any], body: bytes) -> bool:
    """Report whether an unsigned request is AssumeRoleWithWebIdentity, which needs no signature."""
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    return form and environ["PATH_INFO"] == "/" and f"Action={OPERATION}".encode() in body.split(b"&")


class WebIdentities:
    """Verifies tokens against the public keys in a folder."""

    def __init__(self, keys: Path):
        self._keys = keys

    def principal(self, call: Call) -> Principal:
        """Return the caller whose token the call contains. Raises Refusal with AWS's errors."""
        claims = self._verified(call.parameter("WebIdentityToken") or "")
        issuer = claims["iss"].removeprefix("https://")
        arn = f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{issuer}"
        return Principal(
            kind="FederatedUser",
            arn=arn,
            identity_arn=arn,
            user_id=claims["sub"],
            claims=tuple((f"{issuer}:{name}".lower(), str(claims[name])) for name in ("aud", "sub")),
        )

    def _verified(self, token: str) -> dict[str, Any]:
        """Return the claims of a token after checking signature, audience and expiry."""
        try:
            issuer = json.loads(_payload(token))["iss"]
        except (ValueError, KeyError, TypeError):
            raise Refusal("bad identity token", "The ID Token provided is not a valid JWT.") from None
        provider = next(
            (p for p in iam().open_id_providers.values() if f"https://{p.url}" == issuer.rstrip("/")), None
        )
        if provider is None:
            raise Refusal(
                "bad identity token", f"No OpenIDConnect provider found in your account for {issuer}"
            )
        try:
            claims = dict(jwt.decode(token, self._key_set(provider.url), algorithms=["RS256"]).claims)
        except (JoseError, ValueError, OSError) as error:
            raise Refusal(
                "bad identity token", f"Couldn't verify the token with the provider's keys: {error}"
            ) from None
        if not isinstance(claims.get("sub"), str) or claims.get("aud") not in provider.client_id_list:
            raise Refusal("bad identity token", "Incorrect token audience")
        if not isinstance(claims.get("exp"), int) or claims["exp"] <= time.time():
            raise Refusal("expired", "Token expired: the current time is after its exp")
        return claims

    def _key_set(self, url: str) -> KeySet:
        path = self._keys / f"{url.partition('/')[0]}.json"
        keys: KeySet = KeySet.import_key_set(json.loads(path.read_text(encoding="utf-8")))
        return keys


def _payload(token: str) -> bytes:
    part = token.split(".")[1] if token.count(".") == 2 else ""
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
