"""Reasons for permissions that the local run does not use: policies/reasons.toml, reviewed with the policies.

A table per policy; its name may contain `*`. A key is `Sid`, `Sid/action` or `Sid/action/resource`. The resource is a
pattern with `*` for the part of the ARN after the account.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from ops.errors import OperatorError
from ops.paths import ROOT
from ops.permissions.documents import Permission
from ops.text import read_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = ROOT / "policies" / "reasons.toml"


@dataclass(frozen=True)
class Reasons:
    """The reasons by policy and key. file: path for messages."""

    file: str
    by_document: dict[str, dict[str, str]]

    def of(self, permission: Permission) -> str:
        """Return the reason for a permission, or an empty string."""
        return next(
            (
                reason
                for document, table in self.by_document.items()
                if fnmatchcase(permission.document, document)
                for key, reason in table.items()
                if _covers(key, permission)
            ),
            "",
        )

    def unneeded(self, permissions: list[Permission]) -> list[str]:
        """Return the keys that match no permission."""
        return [
            f"{document}/{key}"
            for document, table in self.by_document.items()
            for key in table
            if not any(fnmatchcase(p.document, document) and _covers(key, p) for p in permissions)
        ]


def load(path: Path = FILE) -> Reasons:
    """Return the reasons in a file.

    Raises:
        OperatorError: The file is not valid.
    """
    try:
        tables = tomllib.loads(read_file(path))
    except tomllib.TOMLDecodeError as error:
        raise OperatorError(f"{path} is not valid TOML: {error}.") from error
    for document, table in tables.items():
        for key, reason in table.items() if isinstance(table, dict) else [("", None)]:
            if not isinstance(reason, str) or len(reason.split()) < 3:
                raise OperatorError(
                    f"{path}: {document}/{key} needs a reason of three words or more, not {reason!r}."
                )
    return Reasons(str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path), tables)


def short(resource: str) -> str:
    """Return the part of an ARN after the account."""
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
