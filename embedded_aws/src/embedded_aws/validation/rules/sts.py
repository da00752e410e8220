"""Rules of STS."""

from __future__ import annotations

from embedded_aws.iam.principals import role_by_arn
from embedded_aws.iam.request import Call
from embedded_aws.validation.policies import documents
from embedded_aws.validation.table import Rule, pattern

API = "AWS STS API Reference, "
CHAINED_SECONDS = 3600
_ROLE = r"arn:aws[\w-]*:iam::\d{12}:role/.+"
_ASSUMING = ("AssumeRole", "AssumeRoleWithWebIdentity")


def _duration(call: Call) -> str | None:
    seconds = call.parameter("DurationSeconds")
    role = role_by_arn(call.parameters["RoleArn"])
    if seconds is None or role is None or seconds <= int(role.max_session_duration or CHAINED_SECONDS):
        return None
    return "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."


def _chained(call: Call) -> str | None:
    if (call.parameter("DurationSeconds") or 0) <= CHAINED_SECONDS or ":assumed-role/" not in call.caller_arn:
        return None
    return "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"


def _policy(call: Call) -> str | None:
    policy = call.parameter("Policy")
    return documents.identity_policy(policy) if policy else None


RULES: tuple[Rule, ...] = (
    Rule(
        _ASSUMING,
        pattern("RoleArn", _ROLE, "{value} is invalid"),
        "ValidationError",
        API + "AssumeRole: RoleArn",
    ),
    Rule(_ASSUMING, _duration, "ValidationError", API + "AssumeRole: DurationSeconds"),
    Rule(("AssumeRole",), _chained, "ValidationError", API + "AssumeRole: DurationSeconds"),
    Rule(_ASSUMING, _policy, "MalformedPolicyDocument", API + "AssumeRole: Policy"),
)
