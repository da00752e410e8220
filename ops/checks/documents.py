"""The IAM policy documents in policies/: reading, rendering with sample values, and suppressed findings."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

from ops.checks.findings import Finding, line_of
from ops.errors import OperatorError
from ops.text import read_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KINDS = {"policies": "identity", "resources": "resource", "trust": "trust"}
"""Policy type by folder."""


@dataclass(frozen=True)
class Document:
    """A policy document.

    file: path relative to the repository.
    text: the source, with placeholders.
    kind: identity, resource or trust.
    """

    file: str
    text: str
    kind: str

    def rendered(self, values: dict[str, str]) -> str:
        """Return the text with placeholders replaced and the same line numbers."""
        return Template(self.text).substitute(values)

    def line_of_sid(self, sid: str) -> int:
        """Return the line of a Sid, or 1."""
        return line_of(self.text, rf'"Sid"\s*:\s*"{re.escape(sid)}"')

    def sid_at(self, line: int) -> str:
        """Return the Sid of the statement that contains a line; empty before the first statement."""
        sids = [
            (number, match.group(1))
            for number, text in enumerate(self.text.splitlines(), start=1)
            for match in re.finditer(r'"Sid"\s*:\s*"(\w+)"', text)
        ]
        # A statement starts at its brace, one line before the Sid.
        started = [sid for number, sid in sids if number <= line + 1]
        return started[-1] if started else ""


def values(root: Path) -> dict[str, str]:
    """Return a sample value for each placeholder."""
    samples: dict[str, str] = json.loads(
        (root / "policies" / "checks" / "values.json").read_text(encoding="utf-8")
    )
    return samples


def read(root: Path) -> list[Document]:
    """Return all policy documents of a repository, including invalid ones."""
    folder = root / "policies"
    return [
        Document(
            str(path.relative_to(root)),
            read_file(path),
            KINDS.get(path.parent.name, "identity"),
        )
        for path in sorted(folder.rglob("*.json"))
        if "checks" not in path.relative_to(folder).parts
    ]


def broken(documents: list[Document], samples: dict[str, str]) -> list[Finding]:
    """Return the documents that tools cannot read: invalid JSON, not a policy, unknown placeholder. Some tools skip them."""
    found = []
    for document in documents:
        try:
            content = json.loads(document.text)
        except ValueError as error:
            found.append(
                Finding(
                    "json",
                    f"is not valid JSON: {error}",
                    "fix the JSON",
                    document.file,
                    getattr(error, "lineno", 1),
                )
            )
            continue
        if not isinstance(content, dict) or "Statement" not in content:
            found.append(
                Finding(
                    "json",
                    "has no Statement",
                    "write a policy, or move the file out of policies/",
                    document.file,
                )
            )
        for name in sorted(set(re.findall(r"\$\{(\w+)\}", document.text)) - samples.keys()):
            found.append(
                Finding(
                    "placeholder",
                    f"no sample value for ${{{name}}}",
                    "add one to policies/checks/values.json",
                    document.file,
                    line_of(document.text, re.escape(f"${{{name}}}")),
                )
            )
    return found


class Exceptions:
    """Suppressions of findings in policies/exceptions.toml, as JSON has no comments.

    Each has document, sid, rule and reason. An exception without a reason or without effect is a finding.
    """

    FILE = "policies/exceptions.toml"

    def __init__(self, root: Path):
        path = root / self.FILE
        self.text = read_file(path) if path.exists() else ""
        try:
            self.all = tomllib.loads(self.text).get("exception", [])
        except tomllib.TOMLDecodeError as error:
            raise OperatorError(f"{self.FILE} is not valid TOML: {error}.") from error
        for exception in self.all:
            if missing := {"document", "sid", "rule", "reason"} - exception.keys():
                raise OperatorError(
                    f"{self.FILE}: an exception lacks {', '.join(sorted(missing))}: {exception}."
                )

    def apply(self, findings: list[tuple[str, Finding]], rules: re.Pattern[str]) -> tuple[Finding, ...]:
        """Return the findings, suppressed where an exception names them.

        findings: with the Sid of each.
        rules: pattern of the gate's rules; exceptions of other rules are ignored.
        """
        done, used = [], set()
        starts = [n for n, line in enumerate(self.text.splitlines(), 1) if line.strip() == "[[exception]]"]
        for sid, finding in findings:
            for number, exception in enumerate(self.all):
                named = (f"policies/{exception['document']}", exception["sid"], exception["rule"])
                if named == (finding.file, sid, finding.rule):
                    used.add(number)
                    finding = finding.suppressed(exception["reason"].strip())
            done.append(finding)
        for number, exception in enumerate(self.all):
            if not rules.fullmatch(exception["rule"]):
                continue
            what = f"{exception['rule']} of {exception['sid']} in {exception['document']}"
            line = starts[number]
            if len(exception["reason"].strip()) < 15:
                done.append(
                    Finding(
                        "reason", f"suppresses {what} without a reason", "add the reason", self.FILE, line
                    )
                )
            elif number not in used:
                done.append(
                    Finding("stale", f"suppresses {what}, which is not found", "remove it", self.FILE, line)
                )
        return tuple(done)
