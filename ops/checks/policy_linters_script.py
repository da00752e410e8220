"""Lint rendered policy documents with cloudsplaining or parliament. A script for .venv-checkov:

    python policy_linters_script.py cloudsplaining|parliament < documents.json

Input: [{"file", "kind", "text"}]. Output: [{"file", "rule", "what", "sid" or "line"}].
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

# Risk category of cloudsplaining -> the property of its PolicyDocument that lists the actions.
RISKS = {
    "PrivilegeEscalation": "allows_privilege_escalation",
    "DataExfiltration": "allows_data_exfiltration_actions",
    "ResourceExposure": "permissions_management_without_constraints",
    "CredentialsExposure": "credentials_exposure",
    "ServiceWildcard": "service_wildcard",
    "InfrastructureModification": "infrastructure_modification",
}


def cloudsplaining(document: Json) -> Iterator[Json]:
    """Yield the risks of an identity policy. cloudsplaining does not support resource policies."""
    from cloudsplaining.scan.policy_document import PolicyDocument

    if document["kind"] != "identity":
        return
    policy = json.loads(document["text"])
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    for statement in statements:
        scanned = PolicyDocument({**policy, "Statement": [statement]})
        for rule, listed in RISKS.items():
            if rule != "PrivilegeEscalation" and (found := getattr(scanned, listed)):
                actions = ", ".join(sorted(map(str, found)))
                yield {"rule": rule, "sid": statement.get("Sid", ""), "what": actions}
    for escalation in PolicyDocument(policy).allows_privilege_escalation:  # often from two statements
        actions = ", ".join(escalation["actions"])
        yield {"rule": "PrivilegeEscalation", "sid": "", "what": f"{escalation['type']} by {actions}"}


def parliament(document: Json) -> Iterator[Json]:
    """Yield misspelled, malformed and mismatched elements of a policy."""
    from parliament import analyze_policy_string, enhance_finding

    text = document["text"]
    if document["kind"] == "trust":
        # parliament stops at a trust policy's missing Resource. Added on the same line, to keep the line numbers.
        text = re.sub(r'("Effect"\s*:\s*"\w+",)', r'\1 "Resource": "*",', text)
    for finding in analyze_policy_string(text).findings:
        if document["kind"] != "identity" and finding.issue == "RESOURCE_STAR":
            continue  # in a resource policy, "*" is the resource
        issue = enhance_finding(finding)
        if issue.issue == "RESOURCE_MISMATCH":
            issue.detail = [lack for lack in issue.detail if not _granted(json.loads(text), lack)]
            if not issue.detail:
                continue
        detail = issue.detail if isinstance(issue.detail, str) else json.dumps(issue.detail)
        location = issue.location if isinstance(issue.location, dict) else {}
        yield {"rule": issue.issue, "line": location.get("line") or 1, "what": f"{issue.title}: {detail}"}


def _granted(policy: Json, lack: Json) -> bool:
    """Return whether some statement allows an action on the resource type that parliament misses in another.

    An action on two resource types (an endpoint and its configuration) has a statement for each if their conditions
    differ. lack: {"action", "required_format"}.
    """
    from parliament import is_arn_match

    for statement in policy["Statement"]:
        actions, resources = statement.get("Action", []), statement.get("Resource", [])
        named = actions if isinstance(actions, list) else [actions]
        places = resources if isinstance(resources, list) else [resources]
        grants = statement["Effect"] == "Allow" and lack["action"] in named and "*" not in places
        if grants and any(is_arn_match("", lack["required_format"], place) for place in places):
            return True
    return False


def main(tool: str) -> None:
    """Lint the documents on standard input and print the findings as JSON."""
    scan = {"cloudsplaining": cloudsplaining, "parliament": parliament}[tool]
    found = [
        {"file": document["file"], **finding}
        for document in json.load(sys.stdin)
        for finding in scan(document)
    ]
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
