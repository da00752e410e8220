"""Validates a call: first against the model of its operation, then against the rules that the model lacks."""

from __future__ import annotations

import dis
import importlib
from functools import cache

from moto.backends import get_backend
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model

from embedded_aws.iam.request import Call
from embedded_aws.validation import shapes
from embedded_aws.validation.rejections import Rejected, rejection
from embedded_aws.validation.rules import TABLES
from embedded_aws.validation.table import Rule


def check(call: Call) -> None:
    """Raise Rejected, the service's own error, if a call is not valid."""
    documented = rules_of(call.model, call.operation)
    for rule in documented:
        if rule.status == 501 and (message := rule.test(call)):
            raise Rejected(rule.code, message, rule.status)
    check_shape(call)
    for rule in documented:
        if message := rule.test(call):
            raise Rejected(rule.code, message, rule.status, rule.query_code)


@cache
def rules_of(service: str, operation: str) -> tuple[Rule, ...]:
    """Return the rules of the tables that hold for an operation."""
    return tuple(r for r in TABLES.get(service, ()) if operation in r.operations or "*" in r.operations)


def check_shape(call: Call) -> None:
    """Raise Rejected if a call violates the model of its operation."""
    violations = shapes.violations(call.model, call.operation, call.parameters)
    if violations and is_implemented(call.model, call.operation):
        raise rejection(call.model, violations, _locations(call.model, call.operation))


@cache
def _locations(service: str, operation: str) -> dict[str, str]:
    """Return the members outside of the body, each with its place: "header", "headers", "uri" or "querystring"."""
    shape = get_service_model(service).operation_model(operation).input_shape
    members = shape.members.items() if shape is not None else ()
    return {n: m.serialization["location"] for n, m in members if "location" in m.serialization}


@cache
def is_implemented(service: str, operation: str) -> bool:
    """Report whether a response class has the operation: the others are answered with 501, whatever their input."""
    if service == "s3":  # has no method for each operation
        return True
    method = camelcase_to_underscores(operation)
    methods = (getattr(kind, method, None) for kind in _response_classes(service))
    return any(found is not None and not only_raises(found) for found in methods)


def only_raises(method: object) -> bool:
    """Report whether a method never returns: it refuses its operation."""
    return not any(step.opname.startswith("RETURN_") for step in dis.get_instructions(method))  # type: ignore[arg-type]


@cache
def _response_classes(service: str) -> tuple[type[BaseResponse], ...]:
    """Return moto's response classes of a service, and ours that build on them."""
    kinds = get_backend(service).backend.__mro__  # type: ignore[call-overload]
    package = next(".".join(k.__module__.split(".")[:2]) for k in kinds if k.__module__.startswith("moto."))
    importlib.import_module(f"{package}.responses")
    waiting, found = list(BaseResponse.__subclasses__()), []
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        ours = any(base.__module__.startswith(f"{package}.") for base in kind.__mro__)
        if ours and not kind.__subclasses__():
            found.append(kind)
    return tuple(found)
