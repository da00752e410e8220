"""Decode Terraform states, as far as this repository reads them: which resources they hold, and on what these depend."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from ops.documents import decode
from ops.s3 import S3Uri


class _Instance(BaseModel):
    """One of the instances of a resource. attributes: None if Terraform could not create it."""

    attributes: dict[str, Any] | None = None
    dependencies: list[str] = []


class _Resource(BaseModel):
    """A resource. module: its address; None in the root."""

    mode: str = "managed"
    module: str | None = None
    type: str = ""
    name: str = ""
    instances: list[_Instance] = []


class _State(BaseModel):
    """A state, without outputs and checks."""

    model_config = ConfigDict(extra="ignore")

    version: Literal[4] = 4
    resources: list[_Resource] | None


def resources(content: bytes, uri: S3Uri) -> list[dict[str, Any]]:
    """Return the resources that a state holds, as Terraform writes them. Raises UnreadableDocument.

    uri: of the object that holds it, for the error.
    """
    if not content:  # an empty object is no state to Terraform
        return []
    remedy = (
        f"restore an older version (`aws s3api list-object-versions --bucket {uri.bucket} --prefix {uri.key}` lists them), or "
        f"remove it with `aws s3 rm {uri}`; then run the same command again"
    )
    found = decode(_State, content, what=f"The Terraform state {uri}", remedy=remedy)
    return [resource.model_dump() for resource in found.resources or []]
