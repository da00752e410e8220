"""cloudsplaining and parliament on rendered documents. Runs by itself, in the environment that has them:

    python linters.py cloudsplaining|parliament < documents.json

documents: [{"file", "kind", "text"}]. Prints [{"file", "rule", "what", "sid" or "line"}].
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

# Categories of cloudsplaining: the property of a policy document that lists what is wrong.
RISKS = {
    "PrivilegeEscalation": "allows_privilege_escalation",
    "DataExfiltration": "allows_data_exfiltration_actions",
    "ResourceExposure": "permissions_management_without_constraints",
    "CredentialsExposure": "credentials_exposure",
    "ServiceWildcard": "service_wildcard",
    "InfrastructureModification": "infrastructure_modification",
}


def cloudsplaining(document: dict) -> Iterator[dict]:
    """What a role could do to an account. Only identity documents: it knows no resource policies."""
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
    for escalation in PolicyDocument(policy).allows_privilege_escalation:  # often two statements together
        actions = ", ".join(escalation["actions"])
        yield {"rule": "PrivilegeEscalation", "sid": "", "what": f"{escalation['type']} by {actions}"}


def parliament(document: dict) -> Iterator[dict]:
    """What is misspelt, malformed, or does not fit together."""
    from parliament import analyze_policy_string, enhance_finding

    text = document["text"]
    if document["kind"] == "trust":
        # A trust policy has no Resource, and parliament would look no further. On the same line, so that lines stay.
        text = re.sub(r'("Effect"\s*:\s*"\w+",)', r'\1 "Resource": "*",', text)
    for finding in analyze_policy_string(text).findings:
        if document["kind"] != "identity" and finding.issue == "RESOURCE_STAR":
            continue  # in a resource's own policy, "*" is that resource
        told = enhance_finding(finding)
        if told.issue == "RESOURCE_MISMATCH":
            told.detail = [lack for lack in told.detail if not _granted(json.loads(text), lack)]
            if not told.detail:
                continue
        detail = told.detail if isinstance(told.detail, str) else json.dumps(told.detail)
        location = told.location if isinstance(told.location, dict) else {}
        yield {"rule": told.issue, "line": location.get("line") or 1, "what": f"{told.title}: {detail}"}


def _granted(policy: dict, lack: dict) -> bool:
    """Whether another statement gives an action the kind of resource that parliament misses in one.

    An action that needs two kinds (an endpoint and its configuration) has a statement for each where their conditions
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
    scan = {"cloudsplaining": cloudsplaining, "parliament": parliament}[tool]
    found = [
        {"file": document["file"], **finding}
        for document in json.load(sys.stdin)
        for finding in scan(document)
    ]
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
