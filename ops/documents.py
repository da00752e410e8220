"""Decode the JSON documents that commands read back: objects in S3, SSM parameters, Terraform states, local files.

Anybody may have changed them, and an older version of this repository may have written them.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ops.errors import OperatorError

Document = TypeVar("Document")


class UnreadableDocument(OperatorError):
    """A document that is damaged, or that another version of this repository wrote."""


def decode(
    kind: type[Document] | TypeAdapter[Document],
    content: str | bytes,
    *,
    what: str,
    remedy: str,
    error: type[UnreadableDocument] = UnreadableDocument,
) -> Document:
    """Return the document that a JSON text holds, validated.

    kind: what it should be, such as a pydantic model.
    what: where it is, for the error, such as "The tuning result s3://bucket/results/tuning.json".
    remedy: the command that writes it again, such as "run ./inv tune".
    error: the class of the error. Raises it, and nothing else, for any other content.
    """
    adapter: TypeAdapter[Document] = kind if isinstance(kind, TypeAdapter) else TypeAdapter(kind)
    try:
        return adapter.validate_json(content)
    except ValidationError as problem:
        raise error(
            f"{what} is damaged, or of another version of this repository ({_reason(problem)}): {remedy}."
        ) from problem


def _reason(problem: ValidationError) -> str:
    """Return the first problem, and how many more there are."""
    errors = problem.errors(include_url=False, include_input=False)
    return _clause(errors[0]) + (f"; {len(errors) - 1} more" if len(errors) > 1 else "")


def _clause(error: Any) -> str:
    if error["type"] == "json_invalid":
        return "it is not JSON"
    place = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
