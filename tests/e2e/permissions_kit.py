"""Find the requests that a policy statement alone allowed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ops.permissions.documents import Document
from ops.permissions.record import Decision


def without(document: Document, sid: str) -> str:
    """Return a policy document as JSON, without one statement."""
    return _policy(statement for statement in document.statements if statement["Sid"] != sid)


def first_denied(
    iam: Any, documents: list[Document], document: Document, sid: str, decisions: Iterable[Decision]
) -> Decision | None:
    """Return the first decision that would have been a denial if the document lacked a statement.

    IAM's policy simulation decides. A decision by a resource's own policy did not need the statement.
    iam: client of any embedded AWS.
    """
    left = {
        role: [_policy(d.statements) for d in documents if role in d.roles and d is not document]
        + [without(document, sid)]
        for role in document.roles
    }
    for decision in decisions:
        if (
            decision.allowed
            and decision.principal in left
            and sid in decision.statements
            and decision.reason == "identity-based policy"
            and not _is_allowed(iam, left[decision.principal], decision)
        ):
            return decision
    return None


def _policy(statements: Iterable[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _is_allowed(iam: Any, policies: list[str], decision: Decision) -> bool:
    """Return whether policies allow the request of a decision."""
    context = [
        {
            "ContextKeyName": key,
            "ContextKeyValues": [value] if isinstance(value, str) else value,
            "ContextKeyType": "string" if isinstance(value, str) else "stringList",
        }
        for key, value in decision.context.items()
    ]
    answer = iam.simulate_custom_policy(
        PolicyInputList=policies,
        ActionNames=[decision.action],
        ResourceArns=[decision.resource],
        ContextEntries=context,
    )
    return bool(answer["EvaluationResults"][0]["EvalDecision"] == "allowed")
