"""checkov on sources, on plans, and on the documents in policies/ with this repository's own checks.

checkov is silent about much that it could not look at; each gate here also fails on what was not examined.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from ops.checks import documents, environment, plans, skips
from ops.checks.findings import Finding, Findings, Result, relative
from ops.errors import OperatorError

TESTS = r"\.tftest\.hcl$"
OWN_CHECKS = "policies/checks"
OWN_ID = re.compile(r"CKV_POLICY_\d+")
SEPARATOR = " | "
"""Between the name of an own check and each of its complaints, as policies/checks writes them."""


def source(root: Path, python: Path) -> Result:
    """The Terraform sources, every module seen through each root that uses it."""
    reports = _run(
        root, python, "--directory", str(root / "terraform"), "--framework", "terraform", "--skip-path", TESTS
    )
    findings, examined = Findings(), 0
    for report in reports:
        results = report["results"]
        examined += len(results["passed_checks"]) + len(results["failed_checks"])
        for record in results["failed_checks"] + results["skipped_checks"]:
            findings.add(_finding(record, relative(record["file_abs_path"], root)))
        for path in results["parsing_errors"]:
            findings.add(Finding("parse", "cannot be parsed", "mend it", relative(path, root)))
    if not examined:
        findings.add(_unexamined("terraform", "no resource of the sources"))
    return Result("source", examined, findings.all())


def plan(root: Path, python: Path, name: str, content: dict, work: Path) -> Result:
    """A plan of a root: only there are the policies rendered. name: of the root, and behind a slash of what is planned
    of it. content: `terraform show -json`. work: a folder."""
    work.mkdir(parents=True, exist_ok=True)
    file = work / f"{name.replace('/', '-')}.json"
    file.write_text(json.dumps(content))
    folder = root / "terraform" / name.partition("/")[0]
    findings, examined, seen = Findings(), 0, set()
    for report in _run(root, python, "--file", str(file), "--framework", "terraform_plan"):
        results = report["results"]
        examined += len(results["passed_checks"]) + len(results["failed_checks"])
        seen |= {record["resource"] for record in results["passed_checks"] + results["failed_checks"]}
        for record in results["failed_checks"]:
            path, first, last = plans.source(content, record["resource"], folder)
            found = _finding({**record, "file_line_range": [first, last]}, relative(path, root))
            if path.is_file():
                skipped = skips.between(path.read_text(), first, last)
                found = found.excused(skipped.get(found.rule, ""))
            findings.add(found)
    for address in plans.with_policies(content):
        if address not in seen:
            findings.add(_unexamined(relative(folder, root), f"{address} of the plan"))
    if not seen:
        findings.add(_unexamined(relative(folder, root), f"nothing of the plan of {name}: is it one?"))
    for address, attribute in plans.unknown_policies(content):
        path, line, _ = plans.source(content, address, folder)
        findings.add(
            Finding(
                rule="unknown-policy",
                what=f"{attribute} of {address} is not known at plan, so that no check can read it",
                advice="compute the ARNs in it from names, not from what is yet to be made",
                file=relative(path, root),
                line=line,
            )
        )
    return Result("plan", examined, findings.all())


def policies(root: Path, python: Path, exceptions: documents.Exceptions) -> Result:
    """The documents in policies/, by the checks in policies/checks."""
    found = documents.read(root)
    broken = documents.broken(found, documents.values(root))
    reports = _run(
        root,
        python,
        "--directory",
        str(root / "policies"),
        "--framework",
        "json",
        "--external-checks-dir",
        str(root / OWN_CHECKS),
        "--skip-path",
        OWN_CHECKS,
    )
    by_file = {document.file: document for document in found}
    failed: list[tuple[str, Finding]] = [("", finding) for finding in broken]
    examined: set[tuple[str, str]] = set()
    for report in reports:
        results = report["results"]
        for record in results["passed_checks"] + results["failed_checks"]:
            examined.add((relative(record["file_abs_path"], root), record["check_id"]))
        for record in results["failed_checks"]:
            document = by_file[relative(record["file_abs_path"], root)]
            title, *complaints = record["check_name"].split(SEPARATOR)
            for complaint in complaints or [title]:
                sid = complaint.partition(": ")[0]
                line = document.line_of_sid(sid)
                failed.append((sid, Finding(record["check_id"], complaint, title, document.file, line)))
    ids = own_ids(root)
    if not ids:
        failed.append(("", _unexamined(OWN_CHECKS, "no document: there are no checks")))
    unreadable = {finding.file for finding in broken if finding.rule == "json"}
    for file in sorted(by_file.keys() - unreadable):
        if missing := sorted(ids - {check for path, check in examined if path == file}):
            failed.append(("", _unexamined(file, f"{', '.join(missing)}: does {OWN_CHECKS} load?")))
    return Result("policies", len(examined), exceptions.apply(failed, OWN_ID))


def own_ids(root: Path) -> set[str]:
    """The ids of the checks that policies/checks defines, read from its text."""
    texts = [path.read_text() for path in (root / OWN_CHECKS).glob("*.py")]
    return {
        f"CKV_POLICY_{number}" for text in texts for number in re.findall(r"^PolicyCheck\((\d+),", text, re.M)
    }


def _run(root: Path, python: Path, *arguments: str) -> list[dict]:
    """checkov's reports. It exits with 0 or 1 if it ran, and prints no report where it found nothing to look at."""
    configuration = (
        ("--config-file", str(root / ".checkov.yaml")) if (root / ".checkov.yaml").exists() else ()
    )
    told = subprocess.run(
        [
            str(python),
            "-W",
            "ignore",
            "-m",
            "checkov.main",
            *arguments,
            *configuration,
            "--skip-download",
            "--output",
            "json",
        ],
        cwd=root,
        env=environment.variables(LOG_LEVEL="ERROR"),
        capture_output=True,
        text=True,
    )
    try:
        answer = json.loads(told.stdout)
    except ValueError:
        answer = None
    if told.returncode not in (0, 1) or answer is None:
        raise OperatorError(
            f"checkov ended with {told.returncode}: {' '.join((told.stderr or told.stdout).split())[-600:]}"
        )
    return [report for report in (answer if isinstance(answer, list) else [answer]) if "results" in report]


def _finding(record: dict, file: str) -> Finding:
    check = record["check_id"]
    guide = f" ({record['guideline']})" if record.get("guideline") else ""
    return Finding(
        rule=check,
        what=f"{record['check_name']}: {record['resource']}",
        advice=f"change it, or say why it stays beside the resource: #checkov:skip={check}:REASON{guide}",
        file=file,
        line=record["file_line_range"][0],
        reason=record["check_result"].get("suppress_comment", ""),
    )


def _unexamined(file: str, what: str) -> Finding:
    return Finding("unexamined", f"checkov did not examine {what}", "mend what it cannot read", file)
