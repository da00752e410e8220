"""Gates source, plan and policies: checkov on Terraform sources, on plans and, with custom checks, on policies/.

checkov does not report everything that it skips. These gates also fail on whatever it did not examine.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops import child_environment
from ops.checks import documents, plans, skips
from ops.checks.findings import Finding, Findings, Result, relative
from ops.errors import OperatorError

TESTS = r"\.tftest\.hcl$"
CUSTOM_CHECKS = "policies/checks"
CUSTOM_ID = re.compile(r"CKV_POLICY_\d+")
SEPARATOR = " | "
"""Separates the name of a custom check from each of its messages, as policies/checks writes them."""

Json = dict[str, Any]


def source(root: Path, python: Path) -> Result:
    """Examine the Terraform sources: every module once for each root that uses it."""
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
            findings.add(Finding("parse", "cannot be parsed", "fix the syntax", relative(path, root)))
    if not examined:
        findings.add(_unexamined("terraform", "any resource in the sources"))
    return Result("source", examined, findings.all())


def plan(root: Path, python: Path, contents: Mapping[str, Json], work: Path) -> dict[str, Result]:
    """Examine plans. Only a plan has the rendered policies. Returns a result for each, by name.

    One checkov examines all of them: it takes longer to start than to examine one.

    contents: output of `terraform show -json` by name of the root; what follows a slash names a variant of its inputs.
    work: folder for checkov's input.
    """
    if not contents:
        return {}
    work.mkdir(parents=True, exist_ok=True)
    files = {name: work / f"{name.replace('/', '-')}.json" for name in contents}
    arguments = ["--framework", "terraform_plan"]
    for name, file in files.items():
        file.write_text(json.dumps(contents[name]), encoding="utf-8")
        arguments += ["--file", str(file)]
    records: dict[str, list[tuple[bool, Json]]] = {file.name: [] for file in files.values()}
    for report in _run(root, python, *arguments):
        for kind in ("passed_checks", "failed_checks"):
            for record in report["results"][kind]:
                records[Path(record["file_path"]).name].append((kind == "failed_checks", record))
    return {name: _plan(root, name, contents[name], records[file.name]) for name, file in files.items()}


def _plan(root: Path, name: str, content: Json, records: Sequence[tuple[bool, Json]]) -> Result:
    """Return the result of one plan. records: checkov's, each with whether the check failed."""
    folder = root / "terraform" / name.partition("/")[0]
    findings = Findings()
    seen = {record["resource"] for _, record in records}
    for failed, record in records:
        if not failed:
            continue
        path, first, last = plans.source(content, record["resource"], folder)
        found = _finding({**record, "file_line_range": [first, last]}, relative(path, root))
        if path.is_file():
            skipped = skips.between(path.read_text(encoding="utf-8"), first, last)
            found = found.suppressed(skipped.get(found.rule, ""))
        findings.add(found)
    for address in plans.with_policies(content):
        if address not in seen:
            findings.add(_unexamined(relative(folder, root), f"{address} in the plan"))
    if not seen:
        findings.add(
            _unexamined(relative(folder, root), f"anything in the plan of {name}: check that it is a plan")
        )
    for address, attribute in plans.unknown_policies(content):
        path, line, _ = plans.source(content, address, folder)
        findings.add(
            Finding(
                rule="unknown-policy",
                what=f"{attribute} of {address} is unknown at plan time, so checkov cannot read it",
                advice="compute its ARNs from names instead of attributes of new resources",
                file=relative(path, root),
                line=line,
            )
        )
    return Result("plan", len(records), findings.all())


def policies(root: Path, python: Path, exceptions: documents.Exceptions) -> Result:
    """Examine the documents in policies/ with the custom checks in policies/checks."""
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
        str(root / CUSTOM_CHECKS),
        "--skip-path",
        CUSTOM_CHECKS,
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
    ids = custom_ids(root)
    if not ids:
        failed.append(("", _unexamined(CUSTOM_CHECKS, "any document: there are no custom checks")))
    unreadable = {finding.file for finding in broken if finding.rule == "json"}
    for file in sorted(by_file.keys() - unreadable):
        if missing := sorted(ids - {check for path, check in examined if path == file}):
            failed.append(
                (
                    "",
                    _unexamined(
                        file, f"the document with {', '.join(missing)}: check that {CUSTOM_CHECKS} loads"
                    ),
                )
            )
    return Result("policies", len(examined), exceptions.apply(failed, CUSTOM_ID))


def custom_ids(root: Path) -> set[str]:
    """Return the IDs of the custom checks, read from their sources."""
    texts = [path.read_text(encoding="utf-8") for path in (root / CUSTOM_CHECKS).glob("*.py")]
    return {
        f"CKV_POLICY_{number}" for text in texts for number in re.findall(r"^PolicyCheck\((\d+),", text, re.M)
    }


def _run(root: Path, python: Path, *arguments: str) -> list[Json]:
    """Return checkov's reports. It exits with 0 or 1 if it ran, and prints no report if there was nothing to examine."""
    configuration = (
        ("--config-file", str(root / ".checkov.yaml")) if (root / ".checkov.yaml").exists() else ()
    )
    done = subprocess.run(
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
        env=child_environment.build("check", {"LOG_LEVEL": "ERROR"}),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = None
    if done.returncode not in (0, 1) or answer is None:
        raise OperatorError(
            f"checkov exited with {done.returncode}: {' '.join((done.stderr or done.stdout).split())[-600:]}"
        )
    return [report for report in (answer if isinstance(answer, list) else [answer]) if "results" in report]


def _finding(record: Json, file: str) -> Finding:
    check = record["check_id"]
    guide = f" ({record['guideline']})" if record.get("guideline") else ""
    return Finding(
        rule=check,
        what=f"{record['check_name']}: {record['resource']}",
        advice=f"change it, or give the reason in the resource: #checkov:skip={check}:REASON{guide}",
        file=file,
        line=record["file_line_range"][0],
        reason=record["check_result"].get("suppress_comment", ""),
    )


def _unexamined(file: str, what: str) -> Finding:
    return Finding("unexamined", f"checkov did not examine {what}", "fix what it cannot read", file)
