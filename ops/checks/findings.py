"""The findings of a gate, and how many things it examined."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """A problem in a file.

    rule: ID of the rule in its gate.
    what: the problem, with its value.
    advice: the remedy.
    file: path relative to the repository.
    line: line number, from 1.
    reason: why the finding is suppressed; empty if it fails the gate.
    """

    rule: str
    what: str
    advice: str
    file: str
    line: int = 1
    reason: str = ""

    @property
    def where(self) -> str:
        """Location as file:line."""
        return f"{self.file}:{self.line}"

    def suppressed(self, reason: str) -> Finding:
        """Return the finding with a reason for its suppression; an empty reason leaves it open."""
        return replace(self, reason=reason)


@dataclass(frozen=True)
class Result:
    """Result of a gate, or of a part of it.

    examined: number of things that the gate examined, in its own unit.
    """

    gate: str
    examined: int = 0
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0

    @property
    def open(self) -> list[Finding]:
        """Findings that fail the gate."""
        return [finding for finding in self.findings if not finding.reason]

    @property
    def suppressed(self) -> list[Finding]:
        """Findings with a reason."""
        return [finding for finding in self.findings if finding.reason]

    @property
    def passed(self) -> bool:
        """Whether no finding is open."""
        return not self.open


@dataclass
class Findings:
    """Findings without duplicates: a module is examined for every root that uses it."""

    found: dict[tuple[str, str, int, str], Finding] = field(default_factory=dict)

    def add(self, *findings: Finding) -> None:
        """Add findings unless they are known."""
        for finding in findings:
            self.found.setdefault((finding.rule, finding.file, finding.line, finding.reason), finding)

    def all(self) -> tuple[Finding, ...]:
        """Return the findings sorted by location."""
        return tuple(sorted(self.found.values(), key=lambda f: (f.file, f.line, f.rule)))


def merged(gate: str, parts: Iterable[Result]) -> Result:
    """Return the parts of a gate as one result, with the sum of their seconds."""
    parts, findings = list(parts), Findings()
    for part in parts:
        findings.add(*part.findings)
    return Result(
        gate, sum(p.examined for p in parts), findings.all(), round(sum(p.seconds for p in parts), 1)
    )


def line_of(text: str, pattern: str) -> int:
    """Return the number of the first line that matches a regular expression, or 1."""
    match = re.search(pattern, text, re.MULTILINE)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def relative(path: Path | str, root: Path) -> str:
    """Return a path relative to the repository."""
    path = Path(path)
    return str(path.resolve().relative_to(root.resolve())) if path.is_absolute() else str(path)
