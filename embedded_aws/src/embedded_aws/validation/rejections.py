"""Turns violations of a model into the error of the service: code, status and message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from embedded_aws.validation.shapes import Violation


class Rejected(Exception):
    """A request that a service refuses. query_code: error code of the service's former query protocol."""

    def __init__(self, code: str, message: str, status: int = 400, query_code: str | None = None):
        super().__init__(message)
        self.code, self.message, self.status, self.query_code = code, message, status, query_code


@dataclass(frozen=True)
class Style:
    """How a service reports violations.

    code: error code. missing: error code for a required member, if it differs.
    sentence: message for a required member, with {name}; by default that of other violations.
    query_codes: codes of the former query protocol, for services whose SDKs expect those.
    """

    code: str = "ValidationException"
    missing: str | None = None
    sentence: str | None = None
    query_codes: tuple[str, str] | None = None


_ASKED = "The request must contain the parameter {name}."
# Services that differ from ValidationException. Sources: the error shapes of the models and "Common errors" pages.
_STYLES = {
    "apigatewayv2": Style("BadRequestException"),
    "budgets": Style("InvalidParameterException"),
    "cloudwatch": Style(
        "ValidationException",
        "MissingRequiredParameterException",
        "The parameter {name} is required.",
        ("ValidationError", "MissingParameter"),
    ),
    "ec2": Style(
        "InvalidParameterValue", "MissingParameter", "The request must contain the parameter {name}"
    ),
    "ecr": Style("InvalidParameterException"),
    "efs": Style("BadRequest"),
    "iam": Style("ValidationError"),
    "logs": Style("InvalidParameterException"),
    "resourcegroupstaggingapi": Style("InvalidParameterException"),
    "sagemaker-runtime": Style("ValidationError"),
    "service-quotas": Style("IllegalArgumentException"),
    "sns": Style("ValidationError"),
    "sqs": Style(
        "InvalidParameterValue", "MissingParameter", _ASKED, ("InvalidParameterValue", "MissingParameter")
    ),
    "sts": Style("ValidationError"),
}
_DEFAULT = Style()
_S3_MALFORMED = (
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
)


def rejection(service: str, violations: Sequence[Violation], locations: dict[str, str]) -> Rejected:
    """Return the error for violations of a request.

    locations: top-level members outside of the body, with where they are: "header", "uri" or "querystring".
    """
    if service == "s3":
        return _of_s3(violations[0], locations)
    style = _STYLES.get(service, _DEFAULT)
    missing = [v for v in violations if v.rule == "required"]
    queries = style.query_codes or (None, None)
    if missing and style.missing and style.sentence:
        name = ".".join(missing[0].path)
        return Rejected(style.missing, style.sentence.format(name=name), query_code=queries[1])
    if service == "ec2":
        first = violations[0]
        name = first.path[0][0].lower() + first.path[0][1:]
        return Rejected(
            style.code, f"Value ({first.value}) for parameter {name} is invalid. {first.constraint}."
        )
    if service == "ecr":
        return Rejected(style.code, _ecr(violations[0]))
    return Rejected(style.code, _detected(violations), query_code=queries[0])


def _detected(violations: Sequence[Violation]) -> str:
    """Return the message of services that run on AWS's usual framework."""
    count = "1 validation error" if len(violations) == 1 else f"{len(violations)} validation errors"
    return f"{count} detected: {'; '.join(map(_described, violations))}"


def _described(violation: Violation) -> str:
    value = "null" if violation.value is None else f"'{_text(violation.value)}'"
    return f"Value {value} at '{_path(violation)}' failed to satisfy constraint: {violation.constraint}"


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return f"java.nio.HeapByteBuffer[pos=0 lim={len(value)} cap={len(value)}]"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_text(item)}' for key, item in value.items())}}}"
    return str(value)


def _path(violation: Violation) -> str:
    return ".".join(name[:1].lower() + name[1:] for name in violation.path)


def _ecr(violation: Violation) -> str:
    constraint = violation.constraint.removeprefix("Member ")
    return f"Invalid parameter at '{_path(violation)}' failed to satisfy constraint: '{constraint}'"


def _of_s3(violation: Violation, locations: dict[str, str]) -> Rejected:
    member = violation.path[0]
    if locations.get(member) == "header":
        if member == "StorageClass":
            return Rejected("InvalidStorageClass", "The storage class you specified is not valid")
        if violation.rule == "required":
            return Rejected("InvalidRequest", f"Missing required header for this request: {member}")
        return Rejected("InvalidArgument", f"{_text(violation.value)} is not a valid value of {member}")
    if locations.get(member) == "querystring":
        return Rejected("InvalidArgument", f"{_text(violation.value)} is not a valid value of {member}")
    if member == "Key" and violation.rule == "length":
        return Rejected("KeyTooLongError", "Your key is too long")
    return Rejected(*_S3_MALFORMED)
