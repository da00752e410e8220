"""Results become SARIF 2.1.0 for code scanning and JUnit XML for test reports."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from ops.checks import reports
from ops.checks.findings import Finding, Findings, Result, merged

OPEN = Finding("CKV_1", "is \x1b[31mwide\x1b[0m < open", "close it", "terraform/a/main.tf", 7)
SUPPRESSED = Finding(
    "CKV_2", "is plain", "fix it", "terraform/a/main.tf", 9, reason="the local environment needs it"
)
RESULTS = [Result("source", 40, (OPEN, SUPPRESSED), 2.0), Result("format", 12, (), 0.5)]


@pytest.fixture
def written(tmp_path):
    return reports.write(RESULTS, tmp_path / "new" / "folder")


def test_sarif_has_a_result_with_its_location_per_finding(written):
    report = json.loads(written[0].read_text())
    (run,) = report["runs"]
    assert (report["version"], run["tool"]["driver"]["name"]) == ("2.1.0", "inv check")
    first, second = run["results"]
    rules = run["tool"]["driver"]["rules"]
    for result in (first, second):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert first["ruleId"] == "source/CKV_1"
    assert first["level"] == "error"
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "terraform/a/main.tf", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 7},
    }
    assert "close it" in first["message"]["text"]
    assert "suppressions" not in first
    assert second["suppressions"] == [{"kind": "inSource", "justification": "the local environment needs it"}]


def test_junit_has_a_suite_with_counts_per_gate(written):
    top = ElementTree.parse(written[1]).getroot()
    suites = {suite.get("name"): suite for suite in top}
    assert top.tag == "testsuites" and list(suites) == ["source", "format"]
    for suite in suites.values():
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
    (failure,) = suites["source"].findall("testcase/failure")
    assert (
        failure.get("message") == "is [31mwide[0m < open"
    )  # without the escape character, which XML does not allow
    assert failure.text.startswith("terraform/a/main.tf:7: ")
    assert suites["format"].find("testcase").get("name") == "terraform fmt (12 examined)"


def test_parts_of_a_gate_are_merged_without_duplicate_findings():
    parts = [Result("source", 1, (OPEN,), 1.0), Result("source", 2, (SUPPRESSED, OPEN), 0.5)]
    assert merged("source", parts) == Result("source", 3, (OPEN, SUPPRESSED), 1.5)
    assert not merged("source", parts).passed
    assert merged("source", [Result("source", findings=(SUPPRESSED,))]).passed


def test_a_location_may_have_an_open_and_a_suppressed_finding():
    """One root may suppress a finding in a module that another does not."""
    findings = Findings()
    findings.add(OPEN, OPEN.suppressed("a reason that is long enough"))
    assert len(findings.all()) == 2
