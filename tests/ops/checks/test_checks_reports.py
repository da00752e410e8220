"""The reports: SARIF 2.1.0 as code scanning reads it, JUnit as test reports do."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from ops.checks import reports
from ops.checks.findings import Finding, Findings, Result, merged

OPEN = Finding("CKV_1", "is \x1b[31mwide\x1b[0m < open", "close it", "terraform/a/main.tf", 7)
EXCUSED = Finding(
    "CKV_2", "is plain", "mend it", "terraform/a/main.tf", 9, reason="the rehearsal needs it so"
)
RESULTS = [Result("source", 40, (OPEN, EXCUSED), 2.0), Result("format", 12, (), 0.5)]


@pytest.fixture
def written(tmp_path):
    return reports.write(RESULTS, tmp_path / "new" / "folder")


def test_sarif_has_a_result_with_its_place_per_finding(written):
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
    assert second["suppressions"] == [{"kind": "inSource", "justification": "the rehearsal needs it so"}]


def test_junit_has_a_suite_per_gate_whose_numbers_are_right(written):
    top = ElementTree.parse(written[1]).getroot()
    suites = {suite.get("name"): suite for suite in top}
    assert top.tag == "testsuites" and list(suites) == ["source", "format"]
    for suite in suites.values():
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))
    (failure,) = suites["source"].findall("testcase/failure")
    assert failure.get("message") == "is [31mwide[0m < open"  # without what XML cannot hold
    assert failure.text.startswith("terraform/a/main.tf:7: ")
    assert suites["format"].find("testcase").get("name") == "terraform fmt (12 examined)"


def test_parts_of_a_gate_become_one_and_the_same_finding_once():
    parts = [Result("source", 1, (OPEN,), 1.0), Result("source", 2, (EXCUSED, OPEN), 0.5)]
    assert merged("source", parts) == Result("source", 3, (OPEN, EXCUSED), 1.5)
    assert not merged("source", parts).passed
    assert merged("source", [Result("source", findings=(EXCUSED,))]).passed


def test_the_same_place_may_be_open_and_excused():
    """A module that one root may use so, and another may not."""
    findings = Findings()
    findings.add(OPEN, OPEN.excused("a reason that is long enough"))
    assert len(findings.all()) == 2
