"""Gates cloudsplaining and parliament: lint the documents in policies/, rendered with sample values."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from ops import child_environment
from ops.checks import documents
from ops.checks.findings import Finding, Result
from ops.errors import OperatorError

SCRIPT = Path(__file__).parent / "policy_linters_script.py"
ADVICE = (
    f"name resources or add conditions; if neither is possible, give a reason in {documents.Exceptions.FILE}"
)


def lint(tool: str, root: Path, python: Path, exceptions: documents.Exceptions) -> Result:
    """Return the findings of a tool. Documents that cannot be rendered are findings of gate `policies`."""
    samples = documents.values(root)
    found = documents.read(root)
    unreadable = {finding.file for finding in documents.broken(found, samples)}
    readable = {document.file: document for document in found if document.file not in unreadable}
    done = subprocess.run(
        [str(python), "-W", "ignore", str(SCRIPT), tool],
        input=json.dumps(
            [{"file": d.file, "kind": d.kind, "text": d.rendered(samples)} for d in readable.values()]
        ),
        env=child_environment.build("check"),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        raise OperatorError(f"{tool} failed: {' '.join(done.stderr.split())[-600:]}")
    findings = []
    for raw in json.loads(done.stdout.splitlines()[-1]):  # the tools print notes before it
        document = readable[raw["file"]]
        sid = raw["sid"] if "sid" in raw else document.sid_at(raw["line"])
        line = raw.get("line") or document.line_of_sid(sid)
        findings.append((sid, Finding(f"{tool}:{raw['rule']}", raw["what"], ADVICE, document.file, line)))
    return Result(tool, len(readable), exceptions.apply(findings, re.compile(f"{tool}:.*")))
