"""Callers with a token of an OpenID Connect provider, such as a job of GitHub Actions: `AssumeRoleWithWebIdentity`.

AWS fetches the provider's public keys from it; here they lie in the home folder, as `jwks/<host>.json`.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from embedded_aws import ACCOUNT_ID, runtime
from embedded_aws.iam.errors import Refusal
from embedded_aws.iam.principals import Principal, iam
from embedded_aws.iam.request import Call

OPERATION = "AssumeRoleWithWebIdentity"


def is_meant(environ: dict[str, Any], body: bytes) -> bool:
    """Whether an unsigned request is the one that needs no signature."""
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    return form and environ["PATH_INFO"] == "/" and f"Action={OPERATION}".encode() in body.split(b"&")


def principal(call: Call) -> Principal:
    """The caller whose token a call carries. Raises Refusal as AWS does."""
    claims = _verified(call.parameter("WebIdentityToken") or "")
    issuer = claims["iss"].removeprefix("https://")
    arn = f"arn:aws:iam::{ACCOUNT_ID}:oidc-provider/{issuer}"
    return Principal(
        kind="FederatedUser",
        arn=arn,
        identity_arn=arn,
        user_id=claims["sub"],
        claims=tuple((f"{issuer}:{name}".lower(), str(claims[name])) for name in ("aud", "sub")),
    )


def _verified(token: str) -> dict[str, Any]:
    try:
        issuer = json.loads(_payload(token))["iss"]
    except (ValueError, KeyError, TypeError):
        raise Refusal("bad identity token", "The ID Token provided is not a valid JWT.") from None
    provider = next(
        (p for p in iam().open_id_providers.values() if f"https://{p.url}" == issuer.rstrip("/")), None
    )
    if provider is None:
        raise Refusal("bad identity token", f"No OpenIDConnect provider found in your account for {issuer}")
    try:
        claims = dict(jwt.decode(token, _keys(provider.url), algorithms=["RS256"]).claims)
    except (JoseError, ValueError, OSError) as error:
        raise Refusal(
            "bad identity token", f"Couldn't verify the token with the provider's keys: {error}"
        ) from None
    if not isinstance(claims.get("sub"), str) or claims.get("aud") not in provider.client_id_list:
        raise Refusal("bad identity token", "Incorrect token audience")
    if not isinstance(claims.get("exp"), int) or claims["exp"] <= time.time():
        raise Refusal("expired", "Token expired: the current time is after its exp")
    return claims


def _payload(token: str) -> bytes:
    from base64 import urlsafe_b64decode

    part = token.split(".")[1] if token.count(".") == 2 else ""
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _keys(url: str) -> KeySet:
    path: Path = runtime.current().home / "jwks" / f"{url.partition('/')[0]}.json"
    return KeySet.import_key_set(json.loads(path.read_text()))
