"""Write the results of all gates as SARIF 2.1.0 (code scanning) and as JUnit XML (test reports)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ops.checks.findings import Finding, Result
from ops.checks.gates import GATES

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_INVALID_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(results: list[Result], folder: Path) -> list[Path]:
    """Write check.sarif and check.xml to a folder, create it if needed, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "check.sarif", folder / "check.xml"]
    files[0].write_text(json.dumps(sarif(results), indent=2) + "\n", encoding="utf-8")
    junit(results).write(files[1], encoding="utf-8", xml_declaration=True)
    return files


def sarif(results: Iterable[Result]) -> dict[str, Any]:
    """Return one SARIF run. Rule IDs start with the gate; suppressed findings carry their reason."""
    found = [(result.gate, finding) for result in results for finding in result.findings]
    rules = sorted({(f"{gate}/{finding.rule}", gate) for gate, finding in found})
    numbers = {rule: number for number, (rule, _) in enumerate(rules)}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "inv check",
                        "rules": [
                            {"id": rule, "shortDescription": {"text": GATES[gate]}} for rule, gate in rules
                        ],
                    }
                },
                "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "Root of the repository."}}},
                "results": [
                    _sarif_result(f"{gate}/{finding.rule}", numbers[f"{gate}/{finding.rule}"], finding)
                    for gate, finding in found
                ],
            }
        ],
    }


def _sarif_result(rule: str, number: int, finding: Finding) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": finding.file, "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": max(1, finding.line)},
    }
    result: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": number,
        "level": "error",
        "message": {"text": f"{finding.what}. Fix: {finding.advice}."},
        "locations": [{"physicalLocation": place}],
    }
    if finding.reason:
        result["suppressions"] = [{"kind": "inSource", "justification": finding.reason}]
    return result


def junit(results: Iterable[Result]) -> ElementTree.ElementTree:
    """Return a suite per gate: a failed case per open finding, a skipped one per suppressed finding, one if it passed."""
    top = ElementTree.Element("testsuites", name="inv check")
    for result in results:
        suite = ElementTree.SubElement(
            top,
            "testsuite",
            name=result.gate,
            tests=str(len(result.findings) + result.passed),
            failures=str(len(result.open)),
            skipped=str(len(result.suppressed)),
            errors="0",
            time=f"{result.seconds:.1f}",
        )
        if result.passed:
            name = f"{GATES[result.gate]} ({result.examined} examined)"
            ElementTree.SubElement(suite, "testcase", classname=result.gate, name=name)
        for finding in result.findings:
            name = _clean(f"{finding.where} {finding.rule}")
            case = ElementTree.SubElement(suite, "testcase", classname=result.gate, name=name)
            if finding.reason:
                ElementTree.SubElement(case, "skipped", message=_clean(finding.reason))
            else:
                failure = ElementTree.SubElement(
                    case, "failure", type=finding.rule, message=_clean(finding.what)
                )
                failure.text = _clean(f"{finding.where}: {finding.what}\n{finding.advice}")
    ElementTree.indent(top)
    return ElementTree.ElementTree(top)


def _clean(text: str) -> str:
    """Remove characters that XML does not allow, such as terminal colors."""
    return _INVALID_XML.sub("", text)
