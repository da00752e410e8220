"""Rules of ECR."""

from __future__ import annotations

from embedded_aws.iam.request import Call
from embedded_aws.validation.policies.documents import resource_policy
from embedded_aws.validation.policies.grammar import RESOURCE_ITSELF
from embedded_aws.validation.references import key_exists
from embedded_aws.validation.table import Rule, value_of

API = "Amazon ECR API Reference, "


def _policy(call: Call) -> str | None:
    if not resource_policy(call.parameters["policyText"], "ecr", RESOURCE_ITSELF):
        return None
    return (
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'"
    )


def _key(call: Call) -> str | None:
    key = value_of(call, "encryptionConfiguration.kmsKey")
    return (
        f"The KMS key {key} does not exist or is disabled."
        if key and not key_exists(key, call.region)
        else None
    )


RULES: tuple[Rule, ...] = (
    Rule(("SetRepositoryPolicy",), _policy, "InvalidParameterException", API + "SetRepositoryPolicy"),
    Rule(("CreateRepository",), _key, "KmsException", API + "CreateRepository: errors"),
)
