"""IAM policy simulation, by the evaluator that decides about real requests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.iam.exceptions import InvalidInput, NoSuchEntity
from moto.iam.responses import IamResponse

from embedded_aws import ACCOUNT_ID
from embedded_aws.iam import evaluate
from embedded_aws.iam.evaluate import decide
from embedded_aws.iam.gate import CALL
from embedded_aws.iam.principals import Principal, iam

PAGE = 100  # default of MaxItems


@dataclass(frozen=True)
class Simulated(Principal):
    """A simulated caller.

    policies: identity-based policies of the request.
    other_boundary: permissions boundary of the request, in place of the caller's own.
    """

    policies: tuple[str, ...] = ()
    other_boundary: str | None = None

    def documents(self) -> list[str]:
        return [*super().documents(), *self.policies]

    def boundary(self) -> str | None:
        return self.other_boundary or super().boundary()


class EmbeddedIamResponse(IamResponse):
    """moto's responses with policy simulation."""

    def simulate_principal_policy(self) -> ActionResult:
        parameters = self._parameters()
        return self._simulate(parameters, _source(parameters["PolicySourceArn"]))

    def simulate_custom_policy(self) -> ActionResult:
        return self._simulate(self._parameters(), {"kind": "AssumedRole", "arn": "", "identity_arn": ""})

    def _parameters(self) -> dict[str, Any]:
        return dict(self.normalized_request.environ[CALL].parameters)

    def _simulate(self, parameters: dict[str, Any], source: dict[str, Any]) -> ActionResult:
        boundaries = parameters.get("PermissionsBoundaryPolicyInputList") or [None]
        principal = Simulated(
            **source,
            policies=tuple(parameters.get("PolicyInputList") or ()),
            other_boundary=boundaries[0],
        )
        policy = parameters.get("ResourcePolicy")
        for document in [*principal.policies, policy, principal.other_boundary]:
            _check(document)
        context: dict[str, Any] = dict(principal.context()) if principal.record is not None else {}
        for entry in parameters.get("ContextEntries") or []:
            values = entry.get("ContextKeyValues", [])
            plural = entry.get("ContextKeyType", "").endswith("List")
            context[entry["ContextKeyName"].lower()] = values if plural else "".join(values[:1])
        results = []
        for action in parameters["ActionNames"]:
            if ":" not in action:
                raise InvalidInput(f"Invalid Action name: {action}. It must be service:action.")
            for resource in parameters.get("ResourceArns") or ["*"]:
                results.append(_result(principal, action, resource, context, policy))
        start = int(parameters.get("Marker") or 0)
        end = start + int(parameters.get("MaxItems") or PAGE)
        answer: dict[str, Any] = {"EvaluationResults": results[start:end], "IsTruncated": end < len(results)}
        if answer["IsTruncated"]:
            answer["Marker"] = str(end)
        return ActionResult(answer)


def _source(arn: str) -> dict[str, Any]:
    """Return arguments of Simulated for a user, group or role. Raises NoSuchEntity."""
    for kind, found in (("AssumedRole", iam().roles), ("User", iam().users), ("Group", iam().groups)):
        for record in found.values():
            if record.arn == arn:
                return {"kind": kind, "arn": arn, "identity_arn": arn, "user_id": record.id, "record": record}
    raise NoSuchEntity(f"The entity {arn} cannot be found.")


def _check(document: str | None) -> None:
    try:
        evaluate.parse(document) if document else None
    except (ValueError, KeyError, AttributeError, TypeError):
        raise InvalidInput("The policy is not in the valid JSON format.") from None


def _result(
    principal: Simulated, action: str, resource: str, context: dict[str, Any], policy: str | None
) -> dict[str, Any]:
    full = {"aws:resourceaccount": ACCOUNT_ID, **context}
    # As for real requests: a KMS key's own policy decides whether identity-based policies count.
    delegated = policy is None or not action.lower().startswith("kms:")
    decision = decide(principal, action, resource, full, policy, delegated)
    denied = decision.reason.startswith("with an explicit deny")
    documents = [*principal.documents(), policy, principal.boundary()]
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": "allowed" if decision.allowed else "explicitDeny" if denied else "implicitDeny",
        "MatchedStatements": [],
        "MissingContextValues": sorted(_missing(documents, action, full)),
    }
    if principal.boundary() is not None:
        allowed = "permissions boundary" not in decision.reason
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    return result


def _missing(documents: list[str | None], action: str, context: dict[str, Any]) -> set[str]:
    """Return condition keys that statements about the action use and the request lacks."""
    found: set[str] = set()
    for document in documents:
        for statement in evaluate.parse(document) if document else ():
            named = statement.actions.fullmatch(action.lower()) is not None
            if named != statement.not_action:
                found |= {condition.key for condition in statement.conditions or ()}
    return found - set(context)
