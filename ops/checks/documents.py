"""The IAM documents in policies/: read, rendered with sample values, and the findings that stay, with their reasons."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ops.checks.findings import Finding, line_of
from ops.errors import OperatorError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = {"policies": "identity", "resources": "resource", "trust": "trust"}
"""What a document is, by its folder."""


@dataclass(frozen=True)
class Document:
    """file: relative to the repository. text: as written. kind: identity, resource or trust."""

    file: str
    text: str
    kind: str

    def rendered(self, values: dict[str, str]) -> str:
        """The text with every placeholder filled; the lines stay what they are."""
        return Template(self.text).substitute(values)

    def line_of_sid(self, sid: str) -> int:
        return line_of(self.text, rf'"Sid"\s*:\s*"{re.escape(sid)}"')

    def sid_at(self, line: int) -> str:
        """The statement that a line belongs to: the last one that starts at it or before; the first else."""
        sids = [
            (number, match.group(1))
            for number, text in enumerate(self.text.splitlines(), start=1)
            for match in re.finditer(r'"Sid"\s*:\s*"(\w+)"', text)
        ]
        # A statement is told by the line of its brace, one before the Sid's.
        started = [sid for number, sid in sids if number <= line + 1]
        return started[-1] if started else ""


def values(root: Path) -> dict[str, str]:
    """What each placeholder may look like once a root has rendered the document."""
    return json.loads((root / "policies" / "checks" / "values.json").read_text())


def read(root: Path) -> list[Document]:
    """All documents of a repository, those that are no JSON included."""
    folder = root / "policies"
    return [
        Document(str(path.relative_to(root)), path.read_text(), KINDS.get(path.parent.name, "identity"))
        for path in sorted(folder.rglob("*.json"))
        if "checks" not in path.relative_to(folder).parts
    ]


def broken(documents: list[Document], samples: dict[str, str]) -> list[Finding]:
    """Documents that no tool could read, though some would not say so: no JSON, no policy, unknown placeholders."""
    found = []
    for document in documents:
        try:
            content = json.loads(document.text)
        except ValueError as error:
            found.append(
                Finding("json", f"is no JSON: {error}", "mend it", document.file, getattr(error, "lineno", 1))
            )
            continue
        if not isinstance(content, dict) or "Statement" not in content:
            found.append(Finding("json", "has no Statement", "write a policy, or move it", document.file))
        for name in sorted(set(re.findall(r"\$\{(\w+)\}", document.text)) - samples.keys()):
            found.append(
                Finding(
                    "placeholder",
                    f"there is no sample value for ${{{name}}}",
                    "add one to policies/checks/values.json",
                    document.file,
                    line_of(document.text, re.escape(f"${{{name}}}")),
                )
            )
    return found


class Exceptions:
    """policies/exceptions.toml: findings that stay, each with document, sid, rule and reason. JSON has no comments.

    One that no longer excuses anything, or that gives no reason, is a finding itself.
    """

    FILE = "policies/exceptions.toml"

    def __init__(self, root: Path):
        path = root / self.FILE
        self.text = path.read_text() if path.exists() else ""
        try:
            self.all = tomllib.loads(self.text).get("exception", [])
        except tomllib.TOMLDecodeError as error:
            raise OperatorError(f"{self.FILE} is not valid TOML: {error}.") from error
        for exception in self.all:
            if missing := {"document", "sid", "rule", "reason"} - exception.keys():
                raise OperatorError(
                    f"{self.FILE}: an exception lacks {', '.join(sorted(missing))}: {exception}."
                )

    def apply(self, findings: list[tuple[str, Finding]], rules: re.Pattern) -> tuple[Finding, ...]:
        """Findings with the reasons of those that stay. findings: with the Sid of each. rules: those of this gate."""
        done, used = [], set()
        starts = [n for n, line in enumerate(self.text.splitlines(), 1) if line.strip() == "[[exception]]"]
        for sid, finding in findings:
            for number, exception in enumerate(self.all):
                named = (f"policies/{exception['document']}", exception["sid"], exception["rule"])
                if named == (finding.file, sid, finding.rule):
                    used.add(number)
                    finding = finding.excused(exception["reason"].strip())
            done.append(finding)
        for number, exception in enumerate(self.all):
            if not rules.fullmatch(exception["rule"]):
                continue
            what = f"{exception['rule']} of {exception['sid']} in {exception['document']}"
            line = starts[number]
            if len(exception["reason"].strip()) < 15:
                done.append(
                    Finding("reason", f"excuses {what} without a reason", "say why it stays", self.FILE, line)
                )
            elif number not in used:
                done.append(
                    Finding("stale", f"excuses {what}, which nobody finds", "remove it", self.FILE, line)
                )
        return tuple(done)
