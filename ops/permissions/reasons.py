"""Why a permission is there that a rehearsal does not use: policies/reasons.toml, reviewed with the policies.

One table for each document (* stands for a part of its name); a key is a statement's `Sid`, `Sid/action`, or `Sid/action/resource`, where the resource is
a pattern with `*` over what follows the account in an ARN.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ops.errors import OperatorError
from ops.paths import ROOT
from ops.permissions.documents import Permission

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = ROOT / "policies" / "reasons.toml"


@dataclass(frozen=True)
class Reasons:
    """The reasons on file, by document and key."""

    file: str
    by_document: dict[str, dict[str, str]]

    def of(self, permission: Permission) -> str:
        """The reason that covers a permission; empty if there is none."""
        return next(
            (
                why
                for document, table in self.by_document.items()
                if fnmatchcase(permission.document, document)
                for key, why in table.items()
                if _covers(key, permission)
            ),
            "",
        )

    def idle(self, permissions: list[Permission]) -> list[str]:
        """The keys that cover no permission at all."""
        return [
            f"{document}/{key}"
            for document, table in self.by_document.items()
            for key in table
            if not any(fnmatchcase(p.document, document) and _covers(key, p) for p in permissions)
        ]


def load(path: Path = FILE) -> Reasons:
    """The reasons in a file. Raises OperatorError if it is not well-formed, by document and key."""
    try:
        tables = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path} is not valid TOML: {error}.") from error
    for document, table in tables.items():
        for key, why in table.items() if isinstance(table, dict) else [("", None)]:
            if not isinstance(why, str) or len(why.split()) < 3:
                raise OperatorError(f"{path}: {document}/{key} needs a reason of some words, not {why!r}.")
    return Reasons(str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path), tables)


def short(resource: str) -> str:
    """An ARN without what all of an environment's share: partition, region and account."""
    parts = resource.split(":", 5)
    return parts[5] if len(parts) == 6 else resource


def _covers(key: str, permission: Permission) -> bool:
    sid, _, rest = key.partition("/")
    action, _, resource = rest.partition("/")
    return (
        sid == permission.sid
        and action in ("", permission.action)
        and (not resource or fnmatchcase(short(permission.resource), resource))
    )
