"""Gates ruff and mypy: lint, format and types of the Python sources. pyproject.toml configures both."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ops import child_environment
from ops.checks.findings import Finding, Result, relative
from ops.errors import OperatorError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def ruff(root: Path) -> Result:
    """Run `ruff check` and `ruff format --check` on a repository."""
    files = _run(root, "ruff", "check", "--show-files", ".").stdout.splitlines()
    findings = [
        Finding(
            rule=raw["code"] or "syntax",
            what=raw["message"],
            advice=raw["url"] or "fix the syntax",
            file=relative(raw["filename"], root),
            line=raw["location"]["row"],
        )
        for raw in _ruff_records(root, "check")
    ]
    findings += [
        Finding("format", "is not formatted", "run: ruff format .", relative(raw["filename"], root))
        for raw in _ruff_records(root, "format", "--check")
        if raw["code"] == "unformatted"
    ]
    return Result("ruff", len(files), tuple(findings))


def mypy(root: Path, work: Path) -> Result:
    """Run mypy on the files that pyproject.toml names. work: folder for its cache."""
    done = _run(root, "mypy", "--output", "json", "--cache-dir", str(work / "mypy"))
    try:
        records = [json.loads(line) for line in done.stdout.splitlines() if line]
    except ValueError as error:
        raise OperatorError(f"mypy failed: {_end(done)}") from error
    findings = tuple(
        Finding(
            rule=raw["code"] or "mypy",
            what=raw["message"],
            advice=raw["hint"] or "fix the annotation or the code",
            file=raw["file"],
            line=max(1, raw["line"]),
        )
        for raw in records
        if raw["severity"] == "error"
    )
    if bool(done.returncode) != bool(findings):
        raise OperatorError(f"mypy exited with {done.returncode}: {_end(done)}")
    return Result("mypy", _number_of_checked_files(root), findings)


def _number_of_checked_files(root: Path) -> int:
    """Return the number of modules under the paths that pyproject.toml names for mypy."""
    paths = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]["files"]
    return sum(len(list((root / path).rglob("*.py"))) if (root / path).is_dir() else 1 for path in paths)


def _ruff_records(root: Path, *command: str) -> list[dict[str, Any]]:
    done = _run(root, "ruff", *command, "--output-format", "json", ".")
    try:
        records: list[dict[str, Any]] = json.loads(done.stdout)
    except ValueError as error:
        raise OperatorError(f"ruff {command[0]} failed: {_end(done)}") from error
    if bool(done.returncode) != bool(records):
        raise OperatorError(f"ruff {command[0]} exited with {done.returncode}: {_end(done)}")
    return records


def _run(root: Path, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", tool, *arguments],
        cwd=root,
        env=child_environment.build("check"),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )


def _end(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())[-600:]
