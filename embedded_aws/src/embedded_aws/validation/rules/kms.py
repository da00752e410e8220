"""Rules of KMS."""

from __future__ import annotations

import json

from moto.kms.models import kms_backends

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam.request import Call
from embedded_aws.validation.policies.documents import names_administrator, resource_policy
from embedded_aws.validation.references import key
from embedded_aws.validation.table import Rule, Test, between, one_of, pattern

API = "AWS KMS API Reference, "
STATES = "AWS KMS Developer Guide, Key states of AWS KMS keys"
ROOT = (ACCOUNT_ID, f"arn:aws:iam::{ACCOUNT_ID}:root")
_LOCKED_OUT = "The new key policy will not allow you to update the key policy in the future."
# Operations that a key in a state does not allow. A key that waits for deletion allows few.
PENDING = (
    *(
        "CreateAlias",
        "DisableKey",
        "DisableKeyRotation",
        "EnableKey",
        "EnableKeyRotation",
        "ScheduleKeyDeletion",
    ),
    *(
        "UpdateAlias",
        "UpdateKeyDescription",
        "UpdatePrimaryRegion",
        "CreateGrant",
        "TagResource",
        "UntagResource",
    ),
)
USES = (
    *("Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"),
    *("GenerateDataKeyWithoutPlaintext", "GenerateMac", "ReEncrypt", "Sign", "Verify", "VerifyMac"),
)


def _policy(call: Call) -> str | None:
    policy = call.parameter("Policy")
    problem = resource_policy(policy, "kms") if policy else None
    if problem and problem.startswith("Invalid principal"):
        return "Policy contains a statement with one or more invalid principals."
    return problem


def _lockout(call: Call) -> str | None:
    policy = call.parameter("Policy")
    if not policy or call.parameter("BypassPolicyLockoutSafetyCheck"):
        return None
    administrators = (*ROOT, call.caller)
    return (
        None if names_administrator(json.loads(policy), administrators, "kms:PutKeyPolicy") else _LOCKED_OUT
    )


def _in_state(state: str, message: str) -> Test:
    def test(call: Call) -> str | None:
        named = call.parameter("KeyId") or call.parameter("TargetKeyId") or ""
        found = key(named, call.region) if named else None
        return message.format(arn=found.arn) if found is not None and found.key_state == state else None

    return test


def _alias_exists(call: Call) -> str | None:
    name = call.parameters["AliasName"]
    backend = kms_backends[ACCOUNT_ID][call.region]
    if any(name in found.aliases for found in list(backend.keys.values())):
        return f"An alias with the name arn:aws:kms:{call.region}:{ACCOUNT_ID}:{name} already exists"
    return None


def _reserved_tags(call: Call) -> str | None:
    keys = [tag["TagKey"] for tag in call.parameter("Tags") or ()]
    return (
        "aws: prefixed tag key names are not allowed for external use"
        if any(k.lower().startswith("aws:") for k in keys)
        else None
    )


_PENDING = "{arn} is pending deletion."
_POLICIES = ("CreateKey", "PutKeyPolicy")
_ALIASES = ("CreateAlias", "DeleteAlias", "UpdateAlias")

RULES: tuple[Rule, ...] = (
    Rule(_POLICIES, _policy, "MalformedPolicyDocumentException", API + "PutKeyPolicy: Policy"),
    Rule(
        _POLICIES,
        _lockout,
        "MalformedPolicyDocumentException",
        API + "PutKeyPolicy: BypassPolicyLockoutSafetyCheck",
    ),
    Rule(
        ("PutKeyPolicy",),
        one_of("PolicyName", ("default",), "Policy name must be default."),
        "ValidationException",
        API + "PutKeyPolicy: PolicyName",
    ),
    Rule(
        _ALIASES,
        pattern("AliasName", r"alias/.+", "Alias must start with the prefix alias/."),
        "ValidationException",
        API + "CreateAlias: AliasName",
    ),
    Rule(
        _ALIASES,
        pattern("AliasName", r"(?!alias/aws/).+", "AWS reserves alias/aws/ for AWS managed keys."),
        "NotAuthorizedException",
        API + "CreateAlias: AliasName",
    ),
    Rule(("CreateAlias",), _alias_exists, "AlreadyExistsException", API + "CreateAlias: errors"),
    Rule(
        ("ScheduleKeyDeletion",),
        between("PendingWindowInDays", 7, 30, "PendingWindowInDays must be between 7 and 30 (inclusive)"),
        "ValidationException",
        API + "ScheduleKeyDeletion",
    ),
    Rule(
        ("EnableKeyRotation",),
        between("RotationPeriodInDays", 90, 2560, "RotationPeriodInDays must be between 90 and 2560"),
        "ValidationException",
        API + "EnableKeyRotation",
    ),
    Rule((*PENDING, *USES), _in_state("PendingDeletion", _PENDING), "KMSInvalidStateException", STATES),
    Rule(USES, _in_state("Disabled", "{arn} is disabled."), "DisabledException", STATES),
    Rule(("CreateKey", "TagResource"), _reserved_tags, "TagException", API + "TagResource: Tags"),
)
