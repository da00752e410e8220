"""What a gate found, and what it looked at."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """Something that must change. rule: its name in the gate that found it. what: the fact, with its value.
    advice: what to do. file: relative to the repository. reason: why it stays all the same; empty if it must not.
    """

    rule: str
    what: str
    advice: str
    file: str
    line: int = 1
    reason: str = ""

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    def excused(self, reason: str) -> Finding:
        return replace(self, reason=reason)


@dataclass(frozen=True)
class Result:
    """What came of a gate, or of a part of it. examined: how many things it looked at, as it counts them."""

    gate: str
    examined: int = 0
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0

    @property
    def open(self) -> list[Finding]:
        """What must change."""
        return [finding for finding in self.findings if not finding.reason]

    @property
    def excused(self) -> list[Finding]:
        """What stays, with its reason."""
        return [finding for finding in self.findings if finding.reason]

    @property
    def passed(self) -> bool:
        return not self.open


@dataclass
class Findings:
    """Collects findings, each once: modules are seen by every root that uses them."""

    found: dict[tuple, Finding] = field(default_factory=dict)

    def add(self, *findings: Finding) -> None:
        for finding in findings:
            self.found.setdefault((finding.rule, finding.file, finding.line, finding.reason), finding)

    def all(self) -> tuple[Finding, ...]:
        return tuple(sorted(self.found.values(), key=lambda f: (f.file, f.line, f.rule)))


def merged(gate: str, parts: Iterable[Result]) -> Result:
    """The parts of a gate as one; seconds add up."""
    parts, findings = list(parts), Findings()
    for part in parts:
        findings.add(*part.findings)
    return Result(
        gate, sum(p.examined for p in parts), findings.all(), round(sum(p.seconds for p in parts), 1)
    )


def line_of(text: str, pattern: str) -> int:
    """The first line that a regular expression matches; 1 if none."""
    match = re.search(pattern, text, re.MULTILINE)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def relative(path: Path | str, root: Path) -> str:
    """A path as the repository knows it."""
    path = Path(path)
    return str(path.resolve().relative_to(root.resolve())) if path.is_absolute() else str(path)
