"""Checks of policy documents in the words of each service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from embedded_aws.iam import definitions
from embedded_aws.validation.policies import grammar
from embedded_aws.validation.policies.grammar import Json, Kind, Problem, problem_of, statements_of, texts_of
from embedded_aws.validation.policies.principals import invalid_principal

_SYNTAX = "Syntax errors in policy."
_VENDOR = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
_SID = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
Messages = Mapping[str, str]
"""Kind of problem → message, with {0} for the detail."""

_COMMON: Messages = {
    "version": "The policy must contain a valid version string",
    "old version": "Policy document must be version 2012-10-17 or greater.",
    "sid": _SID,
    "repeated sid": "Statement IDs (SID) in a single policy must be unique.",
    "no vendor": _VENDOR,
    "colons": "Actions/Condition can contain only one colon.",
    "vendor": "Vendor {0} is not valid",
    "arn": 'Resource {0} must be in ARN format or "*".',
    "condition": "Invalid Condition type : {0}",
    "condition value": "The policy failed legacy parsing",
    "prohibited": "Has prohibited field {0}",
    "principal": "Invalid principal in policy: {0}",
    "field": "Unknown field {0}",
    "effect": "Invalid effect: {0}",
    "missing": "Missing required field {0}",
    "json": "This policy contains invalid Json",
    "syntax": "This policy contains invalid Json",
    "action": _SYNTAX,
}
# IAM reports most problems of identity-based policies alike.
_IDENTITY: Messages = {
    **_COMMON,
    **dict.fromkeys(("json", "syntax", "field", "effect", "condition", "version", "missing"), _SYNTAX),
    "missing Action": "Policy statement must contain actions.",
    "missing Resource": "Policy statement must contain resources.",
    "prohibited": "Policy document should not specify a principal.",
}
_S3: Messages = {
    **_COMMON,
    **dict.fromkeys(("json", "syntax"), "Policies must be valid JSON and the first byte must be '{'"),
    **dict.fromkeys(("no vendor", "colons", "vendor", "action"), "Policy has invalid action"),
    "arn": "Policy has invalid resource",
    "principal": "Invalid principal in policy",
}
_TRUST_ACTIONS = re.compile(
    r"sts:(\*|Assume\w*\*?|SetSourceIdentity|TagSession|SetContext|GetCallerIdentity|GetServiceBearerToken)"
)


def _message(problem: Problem, messages: Messages) -> str:
    text = messages.get(f"{problem.kind} {problem.detail}", messages[problem.kind])
    return text.replace("{0}", problem.detail)


def identity_policy(document: str) -> str | None:
    """Return what is wrong with an identity-based policy or a permissions boundary."""
    problem = problem_of(document, grammar.IDENTITY)
    return _message(problem, _IDENTITY) if problem else None


def trust_policy(document: str) -> str | None:
    """Return what is wrong with the trust policy of a role."""
    problem = problem_of(document, grammar.TRUST)
    if problem:
        return _message(problem, _COMMON)
    policy = json.loads(document)
    for statement in statements_of(policy):
        for action in texts_of(statement.get("Action", statement.get("NotAction"))):
            if not _TRUST_ACTIONS.fullmatch(action):
                return "AssumeRole policy may only specify STS AssumeRole actions."
    invalid = invalid_principal(policy)
    return f"Invalid principal in policy: {invalid}" if invalid else None


def bucket_policy(document: str, bucket: str) -> str | None:
    """Return what is wrong with a bucket's policy."""
    if len(document.encode()) > 20_480:
        return "Policy exceeds the maximum allowed document size."
    problem = problem_of(document, grammar.RESOURCE)
    if problem:
        return _message(problem, _S3)
    policy = json.loads(document)
    if invalid_principal(policy):
        return "Invalid principal in policy"
    own = re.compile(rf"arn:aws:s3:::{re.escape(bucket)}(/.*)?", re.DOTALL)
    for statement in statements_of(policy):
        resources = texts_of(statement.get("Resource", statement.get("NotResource")))
        if not all(own.fullmatch(resource) for resource in resources):
            return "Policy has invalid resource"
        actions = texts_of(statement.get("Action", statement.get("NotAction")))
        for action in actions:
            if action != "*" and not _is_action_of("s3", action):
                return "Policy has invalid action"
        if not any(_applies(action, resource) for action in actions for resource in resources):
            return "Action does not apply to any resource(s) in statement"
    return None


def _is_action_of(service: str, action: str) -> bool:
    vendor, _, name = action.partition(":")
    return vendor.lower() == service and (
        "*" in name or "?" in name or definitions.action(service, name) is not None
    )


def _applies(action: str, resource: str) -> bool:
    """Report whether an action of S3 has a resource of this type: a bucket or an object."""
    known = definitions.action("s3", action.partition(":")[2])
    if known is None:  # with wildcards
        return True
    wanted = "object" if "/" in resource else "bucket"
    return any(found.name == wanted for found in known.resources) or not known.resources


def resource_policy(document: str, service: str | None = None, kind: Kind = grammar.RESOURCE) -> str | None:
    """Return what is wrong with the policy of a topic, queue, key, repository or endpoint.

    service: prefix of the only actions that are allowed.
    """
    problem = problem_of(document, kind)
    if problem:
        return _message(problem, _COMMON)
    policy = json.loads(document)
    for statement in statements_of(policy):
        for action in texts_of(statement.get("Action", statement.get("NotAction"))):
            if service and action != "*" and action.partition(":")[0].lower() != service:
                return f"Action out of service scope: {action}"
    invalid = invalid_principal(policy)
    return f"Invalid principal in policy: {invalid}" if invalid else None


def size(document: str) -> int:
    """Return the number of characters that count: all but white space."""
    return len(re.sub(r"\s", "", document))


def total_size(documents: Iterable[Any]) -> int:
    """Return the size of several documents."""
    return sum(size(str(document)) for document in documents)


def names_administrator(policy: Json, arns: Iterable[str], action: str) -> bool:
    """Report whether a policy lets one of some principals call an action."""
    wanted = {*arns, "*"}
    vendor = action.partition(":")[0]
    for statement in statements_of(policy):
        principal = statement.get("Principal", {})
        named = {"*"} if principal == "*" else set(texts_of(principal.get("AWS", [])))
        actions = [text.lower() for text in texts_of(statement.get("Action", []))]
        matches = any(re.fullmatch(re.escape(text).replace(r"\*", ".*"), action.lower()) for text in actions)
        if statement["Effect"] == "Allow" and named & wanted and (matches or f"{vendor}:*" in actions):
            return True
    return False
